"""Access and refresh tokens of the API, and attempts to forge them."""

import base64
import datetime as dt
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts import tokens, users
from accounts.models import User
from audit.models import Event
from tests.accounts.clients import (
    PASSWORD,
    ApiClient,
    client_of_new_user,
    client_with_token,
    make_user,
)
from tests.properties import mostly_slow

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]


def sign_in(username: str = "bob", password: str = PASSWORD) -> Any:
    return ApiClient()("post", "/auth/token/", {"username": username, "password": password})


def status_with_token(access: str) -> int:
    return int(ApiClient(f"Bearer {access}")("get", "/auth/me/").status_code)


def forge_token(changes: dict[str, Any], *, key: str | None = None, **header: Any) -> str:
    """Return an access token of bob with changed claims, signed with our key or another one."""
    claims = jwt.decode(sign_in().json()["access"], options={"verify_signature": False})
    signed_with = settings.SIMPLE_JWT["SIGNING_KEY"] if key is None else key
    return jwt.encode(
        {**claims, **changes}, signed_with, algorithm=header.pop("alg", "HS256"), headers=header
    )


def test_signing_in_returns_tokens_for_the_api() -> None:
    make_user("bob", "analyst")

    pair = sign_in().json()
    me = ApiClient(f"Bearer {pair['access']}")("get", "/auth/me/").json()

    assert (me["username"], me["roles"]) == ("bob", ["analyst"])
    claims = jwt.decode(pair["access"], options={"verify_signature": False})
    # The expiry counts from the refresh token, which may be of the second before.
    assert claims["exp"] - claims["iat"] in (15 * 60 - 1, 15 * 60)
    claims = jwt.decode(pair["refresh"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 7 * 24 * 3600
    assert User.objects.get(username="bob").last_login is not None


def test_a_refusal_is_a_problem_with_the_header_www_authenticate() -> None:
    for response in (
        ApiClient()("get", "/auth/me/"),
        ApiClient("Bearer x")("get", "/auth/me/"),
        sign_in(),
    ):
        assert response.status_code == 401
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'
        assert response.json()["title"] == "Unauthorized"


def test_texts_of_tokens_are_not_stored() -> None:
    make_user("bob")
    sign_in()

    assert OutstandingToken.objects.get().token == ""


def test_a_refresh_token_can_be_used_once() -> None:
    make_user("bob")
    first = sign_in().json()["refresh"]

    second = ApiClient()("post", "/auth/refresh/", {"refresh": first})

    assert second.status_code == 200
    assert status_with_token(second.json()["access"]) == 200
    again = ApiClient()("post", "/auth/refresh/", {"refresh": first})
    assert again.status_code == 401
    assert Event.objects.filter(action="token.refused").exists()
    third = ApiClient()("post", "/auth/refresh/", {"refresh": second.json()["refresh"]})
    assert third.status_code == 200


def test_a_refresh_token_ends_with_signing_out() -> None:
    make_user("bob")
    refresh = sign_in().json()["refresh"]

    assert ApiClient()("post", "/auth/logout/", {"refresh": refresh}).status_code == 204

    assert ApiClient()("post", "/auth/refresh/", {"refresh": refresh}).status_code == 401
    assert ApiClient()("post", "/auth/logout/", {"refresh": refresh}).status_code == 401


def test_access_and_refresh_tokens_are_not_interchangeable() -> None:
    make_user("bob")
    pair = sign_in().json()

    assert status_with_token(pair["refresh"]) == 401
    assert ApiClient()("post", "/auth/refresh/", {"refresh": pair["access"]}).status_code == 401
    assert ApiClient()("post", "/auth/logout/", {"refresh": pair["access"]}).status_code == 401


@pytest.mark.parametrize("end", ["password", "deactivated", "reactivated"])
def test_all_tokens_end_when_the_password_changes_or_the_account_is_deactivated(end: str) -> None:
    bob = make_user("bob")
    pair = sign_in().json()
    assert status_with_token(pair["access"]) == 200

    if end == "password":
        users.set_password(bob, "something else 42")
    else:
        users.set_active(bob, active=False)
    if end == "reactivated":
        users.set_active(bob, active=True)

    assert status_with_token(pair["access"]) == 401
    assert ApiClient()("post", "/auth/refresh/", {"refresh": pair["refresh"]}).status_code == 401


def test_a_token_without_a_signature_is_refused() -> None:
    make_user("bob")
    claims = jwt.decode(sign_in().json()["access"], options={"verify_signature": False})
    for alg in ("none", "None", "NONE"):
        parts = ({"alg": alg, "typ": "JWT"}, claims)
        body = ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in parts
        )
        assert status_with_token(f"{body}.") == 401
        assert status_with_token(body) == 401


def test_a_modified_token_is_refused() -> None:
    make_user("bob")
    root = User.objects.create_superuser("root", password=PASSWORD)
    header, claims, signature = sign_in().json()["access"].split(".")
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    decoded["sub"] = str(root.pk)
    other = base64.urlsafe_b64encode(json.dumps(decoded).encode()).decode().rstrip("=")

    assert status_with_token(f"{header}.{other}.{signature}") == 401
    assert status_with_token(f"{header}.{claims}.{signature[:-4]}AAAA") == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": None},
        {"iss": "somebody"},
        {"aud": "somebody"},
        {"token_type": "refresh"},
        {"token_type": None},
        {"sub": "999999"},
        {"sub": "x"},
        {"mark": ""},
        {"mark": "0" * 64},
        {"jti": None},
    ],
)
def test_a_signed_token_with_wrong_claims_is_refused(changes: dict[str, Any]) -> None:
    make_user("bob")

    assert status_with_token(forge_token({})) == 200
    assert status_with_token(forge_token(changes)) == 401


def test_a_token_signed_with_another_key_or_kid_is_refused() -> None:
    make_user("bob")

    assert status_with_token(forge_token({}, key="k" * 64)) == 401
    assert status_with_token(forge_token({}, key="k" * 64, kid="../../dev/null")) == 401
    assert status_with_token(forge_token({}, key=settings.SECRET_KEY)) == 401
    assert status_with_token(forge_token({}, alg="HS512")) == 401


def test_a_token_expires(settings: Any) -> None:
    bob = make_user("bob")
    token = tokens.Refresh.for_user(bob).access_token
    token.set_exp(from_time=timezone.now() - dt.timedelta(minutes=16))

    assert status_with_token(str(token)) == 401


@pytest.mark.slow
def test_a_token_that_was_used_before_expires() -> None:
    token = tokens.Refresh.for_user(make_user("bob")).access_token
    token.set_exp(lifetime=dt.timedelta(seconds=2))
    statuses = []
    deadline = time.monotonic() + 60

    while time.monotonic() < deadline and 401 not in statuses:
        statuses.append(status_with_token(str(token)))
        time.sleep(0.2)

    assert statuses[0] == 200
    assert statuses[-1] == 401
    assert time.time() >= token["exp"]


@pytest.mark.django_db(transaction=True)
def test_a_user_who_was_read_before_loses_what_is_taken_away() -> None:
    client, bob = client_of_new_user("bob"), User.objects.get()
    for _ in range(2):
        assert client("get", "/runs/").status_code == 200
    users.set_roles(bob, [])
    assert client("get", "/runs/").status_code == 403
    users.set_roles(bob, ["viewer"])
    assert client("get", "/runs/").status_code == 200
    User.objects.update(is_active=False)
    assert client("get", "/runs/").status_code == 401


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer a b", "bearer ", "Token x", "Bearer \xff", "Api-Key"]
)
def test_an_invalid_header_is_refused(header: str) -> None:
    assert ApiClient(header)("get", "/auth/me/").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_one_of_simultaneous_uses_of_a_refresh_token_succeeds() -> None:
    refresh = str(tokens.Refresh.for_user(make_user("bob")))
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def use() -> None:
        start.wait()
        try:
            tokens.rotate(refresh)
            outcomes.append("rotated")
        except TokenError:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["refused"] * 3 + ["rotated"]


def test_an_invalid_token_in_the_header_does_not_prevent_signing_in() -> None:
    make_user("bob")
    client = ApiClient("Bearer stale")

    response = client("post", "/auth/token/", {"username": "bob", "password": PASSWORD})

    assert response.status_code == 200


def test_sessions_need_a_csrf_token_and_access_tokens_do_not() -> None:
    bob = make_user("bob")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(bob)
    change = {"data": {"email": "a@b.eu"}, "content_type": "application/json"}

    refused = browser.patch("/api/v1/auth/me/", **change)  # type: ignore[arg-type]
    assert refused.status_code == 403
    assert "CSRF" in refused.json()["detail"]
    assert client_with_token(bob)("patch", "/auth/me/", {"email": "a@b.eu"}).status_code == 200


def start_service(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Read the settings, create and verify a token in a new process, and return the process."""
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": "/dev/null", **variables}
    program = (
        "import django; django.setup()\n"
        "from accounts.tokens import Access\n"
        "import jwt; t = str(Access()); Access(t)\n"
        "print(jwt.get_unverified_header(t)['alg'])"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "DJANGO_SETTINGS_MODULE": "marketdata.settings"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "weak", mostly_slow(["", "secret", "x" * 80, "django-insecure-" + "a1b2c3d4e5f6" * 5])
)
def test_the_service_does_not_start_with_a_weak_secret(tmp_path: Path, weak: str) -> None:
    result = start_service(tmp_path, SECRET_KEY=weak)

    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert "SECRET_KEY" in last
    assert not weak or weak not in last.replace("import secrets", "").replace("secrets.", "")


@pytest.mark.slow
def test_an_rsa_key_makes_tokens_signed_by_rs256(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    secret = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQR"
    for bits, outcome in ((2048, "RS256"), (1024, "")):
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        result = start_service(tmp_path, SECRET_KEY=secret, JWT_PRIVATE_KEY_FILE=str(path))
        assert result.stdout.strip() == outcome
        if outcome:
            result = start_service(tmp_path, SECRET_KEY=secret, JWT_PRIVATE_KEY=path.read_text())
            assert result.stdout.strip() == outcome
        if not outcome:
            assert "JWT_PRIVATE_KEY_FILE" in result.stderr.splitlines()[-1]
    result = start_service(
        tmp_path, SECRET_KEY=secret, JWT_PRIVATE_KEY_FILE=str(tmp_path / "absent")
    )
    assert "JWT_PRIVATE_KEY_FILE" in result.stderr.splitlines()[-1]
    assert start_service(tmp_path, SECRET_KEY=secret).stdout.strip() == "HS256"
