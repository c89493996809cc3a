"""Tokens of a tenant of Entra ID, from an issuer that really signs."""

import base64
import hmac
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import LazySettings
from django.test import Client

from accounts import entra, lifecycle
from accounts.models import User
from audit.models import Event
from marketdata.settings.entra import from_environment
from tests.accounts.people import Caller, make, with_token
from tests.issuer import AUDIENCE, CLIENT, TENANT, Issuer, running_issuer

pytestmark = pytest.mark.django_db


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
    assert me(issuer.token(roles=[{}, ["Data.Admin"], None])).json()["roles"] == []


def test_a_role_that_there_is_not_is_not_given_again_and_again(
    issuer: Issuer, settings: LazySettings
) -> None:
    settings.ENTRA = issuer.settings(roles={"Data.Reader": "viewer", "Data.Boss": "boss"})

    for _ in range(3):
        assert me(issuer.token(roles=["Data.Reader", "Data.Boss"])).json()["roles"] == ["viewer"]

    assert Event.objects.filter(action="user.roles").count() == 1


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


def test_a_tenant_out_of_reach_is_a_problem_that_passes(issuer: Issuer) -> None:
    issuer.refuses = True

    response = me(issuer.token())
    assert response.status_code == response.json()["status"] == 503
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
