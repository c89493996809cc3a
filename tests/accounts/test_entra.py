"""Tokens of a tenant of Entra ID, and signing in by it, against an issuer that really signs."""

import base64
import hmac
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import LazySettings
from django.http import HttpResponse
from django.test import Client

from accounts import entra, lifecycle
from accounts.models import User
from audit.models import Event
from marketdata.settings.entra import from_environment
from tests.accounts.people import Caller, make, with_token
from tests.issuer import AUDIENCE, CLIENT, TENANT, Issuer, running_issuer

pytestmark = pytest.mark.django_db


@pytest.fixture
def issuer(settings: LazySettings) -> Iterator[Issuer]:
    with running_issuer() as running:
        settings.ENTRA = running.settings()
        settings.AUTHENTICATION_BACKENDS = [
            *settings.AUTHENTICATION_BACKENDS,
            "accounts.sign_in.EntraBackend",
        ]
        yield running
    entra._keys.cache_clear()


def me(token: str) -> Any:
    return Caller(f"Bearer {token}")("get", "/auth/me/")


def test_a_token_of_the_tenant_opens_what_its_roles_open(issuer: Issuer) -> None:
    shown = me(issuer.token()).json()

    assert (shown["username"], shown["roles"]) == ("carla@example.org", ["viewer"])
    assert "instruments.view_instrument" in shown["permissions"]
    assert not User.objects.get().has_usable_password()
    assert list(Event.objects.values_list("action", flat=True).order_by("pk")) == [
        "user.created",
        "user.roles",
    ]


def test_roles_follow_the_token(issuer: Issuer) -> None:
    me(issuer.token(roles=["Data.Curator", "Unknown.Role"]))
    user = User.objects.get()
    assert (user.roles, user.is_staff) == (["curator"], True)

    assert me(issuer.token(roles=[])).json()["permissions"] == []

    user = User.objects.get()
    assert (user.roles, user.is_staff) == ([], False)
    assert Caller(f"Bearer {issuer.token(roles=None)}")("get", "/instruments/").status_code == 403
    assert me(issuer.token(roles="Data.Admin")).json()["roles"] == [], "no list, no roles"


def test_an_unchanged_account_costs_few_queries(
    issuer: Issuer, django_assert_max_num_queries: Any
) -> None:
    token = issuer.token()
    me(token)

    with django_assert_max_num_queries(8):
        me(token)
    assert issuer.asked_for_keys == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "api://other"},
        {"aud": CLIENT},  # an ID token is no access token
        {"aud": None},
        {"tid": "another"},
        {"tid": None},
        {"oid": None},
        {"exp": 1},
        {"exp": None},
        {"nbf": 9_999_999_999},
        {"kid": "unknown"},
    ],
)
def test_a_token_that_is_not_for_us_is_refused(issuer: Issuer, changes: dict[str, Any]) -> None:
    response = me(issuer.token(**changes))

    assert response.status_code == 401
    assert response.headers["Content-Type"] == "application/problem+json"
    assert not User.objects.exists()


def test_a_token_of_another_issuer_or_key_is_refused(issuer: Issuer) -> None:
    assert me(issuer.token(iss="https://login.microsoftonline.com/x/v2.0")).status_code == 401
    kid, _ = issuer.keys[-1]
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = jwt.encode(issuer.claims(), other, "RS256", headers={"kid": kid})
    assert me(forged).status_code == 401
    assert me(jwt.encode(issuer.claims(), "", "none", headers={"kid": kid})).status_code == 401
    assert me(jwt.encode(issuer.claims(), other, "RS256")).status_code == 401, "no kid"


def test_the_public_key_is_no_secret_to_sign_with(issuer: Issuer) -> None:
    """The oldest confusion: HS256 with the text of the published key."""
    kid, key = issuer.keys[-1]
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    unsigned = jwt.encode(issuer.claims(), "x" * 32, "HS256", headers={"kid": kid})
    body = unsigned.rpartition(".")[0]
    mac = hmac.digest(pem, body.encode(), "sha256")

    forged = f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    assert me(forged).status_code == 401


def test_keys_are_rotated(issuer: Issuer) -> None:
    old = issuer.token()
    assert me(old).status_code == 200
    entra._keys(issuer.settings()["keys"]).cooldown_duration = 0  # as after five seconds

    issuer.rotate(keep=True)
    assert me(issuer.token()).status_code == 200
    assert me(old).status_code == 200, "both are published for a while"
    issuer.rotate()
    assert me(issuer.token()).status_code == 200
    assert me(old).status_code == 401


def test_unknown_keys_do_not_make_us_ask_the_tenant_each_time(issuer: Issuer) -> None:
    assert me(issuer.token()).status_code == 200

    for n in range(10):
        assert me(issuer.token(kid=f"unknown{n}")).status_code == 401

    assert issuer.asked_for_keys == 1


def test_a_tenant_out_of_reach_is_a_refusal(issuer: Issuer) -> None:
    issuer.refuses = True

    assert me(issuer.token()).status_code == 401
    issuer.refuses = False
    assert me(issuer.token()).status_code == 200


def test_a_name_that_somebody_has_here_is_not_taken_over(issuer: Issuer) -> None:
    root = User.objects.create_superuser("carla@example.org", email="carla@example.org")

    shown = me(issuer.token(preferred_username="Carla@example.org")).json()

    assert shown["username"] != root.username
    assert shown["is_superuser"] is False
    assert User.objects.count() == 2


def test_an_account_switched_off_here_stays_off(issuer: Issuer) -> None:
    token = issuer.token()
    me(token)
    lifecycle.set_active(User.objects.get(), active=False)

    assert me(token).status_code == 401


def test_our_own_tokens_go_on_working(issuer: Issuer) -> None:
    assert with_token(make("bob"))("get", "/auth/me/").status_code == 200


def test_without_a_tenant_its_tokens_are_nothing() -> None:
    with running_issuer() as issuer:
        assert me(issuer.token()).status_code == 401
        assert issuer.asked_for_keys == 0
    assert Client().get("/sign-in/entra/").status_code == 404
    assert Client().get("/sign-in/entra/callback/", {"code": "x", "state": "y"}).status_code == 404
    for path in ("/sign-in/", "/admin/login/"):
        assert b"Microsoft" not in Client().get(path).content


def begin(client: Client, path: str = "/sign-in/entra/?next=/admin/") -> dict[str, str]:
    """Where a browser is sent to, with what."""
    response = client.get(path)
    assert response.status_code == 302
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query))


def come_back(client: Client, **answer: str) -> HttpResponse:
    return client.get("/sign-in/entra/callback/", answer)  # type: ignore[return-value]


def test_one_signs_in_to_the_admin_by_the_tenant(issuer: Issuer) -> None:
    client = Client()
    for path in ("/sign-in/", "/admin/login/"):
        assert b"Sign in with Microsoft" in client.get(path).content
    question = begin(client)
    assert question["client_id"] == CLIENT
    assert question["code_challenge_method"] == "S256"

    code = issuer.consent(question, roles=["Data.Curator"])
    response = come_back(client, code=code, state=question["state"])

    assert response.headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200
    assert User.objects.get().roles == ["curator"]
    assert Event.objects.filter(action="login", actor="carla@example.org").exists()
    lifecycle.set_active(User.objects.get(), active=False)
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": AUDIENCE},
        {"aud": "another client"},
        {"iss": "https://somewhere"},
        {"tid": "another"},
        {"nonce": "another question's"},
        {"nonce": None},
        {"exp": 1},
    ],
)
def test_an_id_token_that_is_not_for_us_signs_nobody_in(
    issuer: Issuer, changes: dict[str, Any]
) -> None:
    client = Client()
    question = begin(client)

    response = come_back(client, code=issuer.consent(question, **changes), state=question["state"])

    assert response.headers["Location"].startswith("/sign-in/")
    assert not User.objects.exists()
    assert b"did not sign you in" in client.get(response.headers["Location"]).content


def test_a_code_cannot_be_slipped_to_another_browser(issuer: Issuer) -> None:
    question = begin(Client())
    code = issuer.consent(question)
    victim = Client()
    other = begin(victim)

    assert come_back(Client(), code=code, state=question["state"]).status_code == 302
    assert come_back(victim, code=code, state=question["state"]).status_code == 400
    come_back(victim, code=code, state=other["state"])  # the verifier is another one
    assert not User.objects.exists()


def test_one_is_not_led_elsewhere(issuer: Issuer) -> None:
    client = Client()
    question = begin(client, "/sign-in/entra/?next=https://evil.example/")

    response = come_back(client, code=issuer.consent(question), state=question["state"])

    assert response.headers["Location"] == "/"


def test_a_tenant_out_of_reach_signs_nobody_in(issuer: Issuer) -> None:
    client = Client()
    question = begin(client)
    code = issuer.consent(question)
    issuer.refuses = True

    response = come_back(client, code=code, state=question["state"])

    assert response.headers["Location"].startswith("/sign-in/")
    assert come_back(client, error="access_denied").headers["Location"].startswith("/sign-in/")


def test_the_tenant_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert from_environment() == {}
    monkeypatch.setenv("ENTRA_TENANT", TENANT)
    monkeypatch.setenv("ENTRA_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("ENTRA_ROLES", "Reader=viewer, Writer=curator")

    found = from_environment()

    assert found["issuer"] == f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert found["keys"].endswith(f"{TENANT}/discovery/v2.0/keys")
    assert found["roles"] == {"Reader": "viewer", "Writer": "curator"}
    assert found["client"] == ""
