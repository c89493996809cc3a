"""A stand-in for Azure Key Vault on loopback, by HTTPS, with the managed identity that reaches it by HTTP.

It answers as the service does: the first request of a client gets 401 with a challenge, later ones need the
token of the identity.
"""

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

TOKEN, IDENTITY_HEADER = "token-of-the-identity", "header-of-the-identity"


class KeyVaultServer:
    """`secrets` by the names in the vault; `status` instead of 200 where it is set."""

    def __init__(self, ca_file: Path) -> None:
        self.secrets: dict[str, str] = {}
        self.status = 0
        self.requests: list[str] = []
        self.ca_file = ca_file
        self.url = self.identity_url = ""

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a process that reads its secrets here."""
        return {
            "AZURE_KEY_VAULT_URL": self.url,
            "IDENTITY_ENDPOINT": f"{self.identity_url}/identity",
            "IDENTITY_HEADER": IDENTITY_HEADER,
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
        }

    def answer(self, path: str, headers: Any) -> tuple[int, dict[str, str], Any]:
        url = urlsplit(path)
        query = parse_qs(url.query)
        if url.path == "/identity":
            if headers.get("X-IDENTITY-HEADER") != IDENTITY_HEADER:
                return 400, {}, {}
            assert query["resource"] == ["https://vault.azure.net"]
            expires = str(int(time.time()) + 3600)
            return 200, {}, {"access_token": TOKEN, "expires_on": expires, "token_type": "Bearer"}
        assert query["api-version"] == ["2026-04-01"], path
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            challenge = (
                'Bearer authorization="https://login.microsoftonline.com/tenant",'
                ' resource="https://vault.azure.net"'
            )
            return 401, {"WWW-Authenticate": challenge}, {}
        name = url.path.strip("/").partition("/")[2].strip("/")
        self.requests.append(name)
        if self.status:
            return self.status, {}, {"error": {"code": "Forbidden", "message": "not for you"}}
        if name not in self.secrets:
            return 404, {}, {"error": {"code": "SecretNotFound", "message": f"no {name}"}}
        return 200, {}, {"value": self.secrets[name], "id": f"{self.url}/secrets/{name}/1"}


def _handler(vault: KeyVaultServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, headers, content = vault.answer(self.path, self.headers)
            body = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Keep the output of the tests clean."""

    return Handler


@contextlib.contextmanager
def running(folder: Path) -> Iterator[KeyVaultServer]:
    """Run both servers; the certificate of the CA is written to `folder`."""
    authority = trustme.CA()
    ca_file = folder / "key-vault-ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    vault = KeyVaultServer(ca_file)
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(vault)) for _ in range(2)]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    servers[0].socket = context.wrap_socket(servers[0].socket, server_side=True)
    vault.url = f"https://127.0.0.1:{servers[0].server_port}"
    vault.identity_url = f"http://127.0.0.1:{servers[1].server_port}"
    threads = [
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        for server in servers
    ]
    for thread in threads:
        thread.start()
    try:
        yield vault
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()
