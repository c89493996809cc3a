"""An issuer of tokens as Entra ID is one: real keys, real signatures, real HTTP on loopback."""

import base64
import functools
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

TENANT = "11111111-2222-3333-4444-555555555555"
AUDIENCE = "api://marketdata"
CLIENT, SECRET = "99999999-aaaa-bbbb-cccc-dddddddddddd", "the client's secret"


@functools.cache
def _make_key(number: int) -> rsa.RSAPrivateKey:
    """Return the key of a number; all tenants of a process share these, since making one takes 0.1 s."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Issuer:
    """One tenant. `keys` are published; the newest signs."""

    def __init__(self) -> None:
        self._keys_made = 0
        self.keys: list[tuple[str, rsa.RSAPrivateKey]] = []
        self.codes: dict[str, dict[str, Any]] = {}
        self.asked_for_keys = 0
        self.refuses = False
        self.url = ""
        self.rotate()

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return `settings.ENTRA` for this tenant."""
        return {
            "tenant": TENANT,
            "issuer": f"{self.url}/{TENANT}/v2.0",
            "keys": f"{self.url}/{TENANT}/discovery/v2.0/keys",
            "authority": f"{self.url}/{TENANT}/oauth2/v2.0",
            "audience": AUDIENCE,
            "roles": {"Data.Reader": "viewer", "Data.Curator": "curator", "Data.Admin": "admin"},
            "client": CLIENT,
            "secret": SECRET,
            **changes,
        }

    def rotate(self, *, keep: bool = False) -> None:
        """Sign with a new key from now on; the old ones go, unless they are kept for a while."""
        new = (uuid.uuid4().hex, _make_key(self._keys_made))
        self._keys_made += 1
        self.keys = [*(self.keys if keep else []), new]

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": f"{self.url}/{TENANT}/v2.0",
            "aud": AUDIENCE,
            "tid": TENANT,
            "oid": "0f0f0f0f-0000-0000-0000-000000000001",
            "sub": "pairwise",
            "preferred_username": "carla@example.org",
            "roles": ["Data.Reader"],
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, *, kid: str | None = None, **changes: Any) -> str:
        own, key = self.keys[-1]
        return jwt.encode(self.claims(**changes), key, "RS256", headers={"kid": kid or own})

    def consent(self, question: dict[str, str], **changes: Any) -> str:
        """The code with which a browser comes back, for what it was sent with."""
        code = uuid.uuid4().hex
        self.codes[code] = {"question": question, "changes": changes}
        return code

    def get(self, path: str) -> tuple[int, Any]:
        if self.refuses or path != f"/{TENANT}/discovery/v2.0/keys":
            return 404, {}
        self.asked_for_keys += 1
        return 200, {"keys": [_published(kid, key) for kid, key in self.keys]}

    def post(self, path: str, form: dict[str, str]) -> tuple[int, Any]:
        """The token endpoint: a code is good once, for its client, with its verifier."""
        if self.refuses or path != f"/{TENANT}/oauth2/v2.0/token":
            return 404, {}
        known = self.codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        if (
            known is None
            or (form["client_id"], form["client_secret"]) != (CLIENT, SECRET)
            or challenge != known["question"]["code_challenge"]
            or form["redirect_uri"] != known["question"]["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        answer = {"aud": CLIENT, "nonce": known["question"]["nonce"], **known["changes"]}
        return 200, {"id_token": self.token(**answer), "access_token": "for somebody else"}


def _published(kid: str, key: rsa.RSAPrivateKey) -> dict[str, Any]:
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**public, "kid": kid, "use": "sig"}


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(*issuer.get(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self.answer(*issuer.post(self.path, form))

        def answer(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Keep the test output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
