"""Access tokens of an Entra ID tenant, signed by a local issuer."""

import base64
import hmac
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import LazySettings
from django.test import Client

from accounts import entra, users
from accounts.models import User
from audit.models import Event
from marketdata.settings.entra import from_environment
from tests.accounts.clients import ApiClient, client_with_token, make_user
from tests.issuer import AUDIENCE, CLIENT, TENANT, Issuer, running_issuer

pytestmark = pytest.mark.django_db


def get_own_account(token: str) -> Any:
    return ApiClient(f"Bearer {token}")("get", "/auth/me/")


def test_a_token_of_the_tenant_has_the_permissions_of_its_roles(issuer: Issuer) -> None:
    account = get_own_account(issuer.token()).json()

    assert (account["username"], account["roles"]) == ("carla@example.org", ["viewer"])
    assert "instruments.view_instrument" in account["permissions"]
    assert not User.objects.get().has_usable_password()
    assert list(Event.objects.values_list("action", flat=True).order_by("pk")) == [
        "user.created",
        "user.roles",
    ]


def test_roles_are_updated_from_each_token(issuer: Issuer) -> None:
    get_own_account(issuer.token(roles=["Data.Curator", "Unknown.Role"]))
    user = User.objects.get()
    assert (user.roles, user.is_staff) == (["curator"], True)

    assert get_own_account(issuer.token(roles=[])).json()["permissions"] == []

    user = User.objects.get()
    assert (user.roles, user.is_staff) == ([], False)
    assert (
        ApiClient(f"Bearer {issuer.token(roles=None)}")("get", "/instruments/").status_code == 403
    )
    assert get_own_account(issuer.token(roles="Data.Admin")).json()["roles"] == [], (
        "app roles must be a list"
    )
    assert get_own_account(issuer.token(roles=[{}, ["Data.Admin"], None])).json()["roles"] == []


def test_a_role_that_does_not_exist_is_not_assigned_at_every_request(
    issuer: Issuer, settings: LazySettings
) -> None:
    settings.ENTRA = issuer.settings(roles={"Data.Reader": "viewer", "Data.Boss": "boss"})

    for _ in range(3):
        assert get_own_account(issuer.token(roles=["Data.Reader", "Data.Boss"])).json()[
            "roles"
        ] == ["viewer"]

    assert Event.objects.filter(action="user.roles").count() == 1


def test_an_unchanged_account_takes_few_queries(
    issuer: Issuer, django_assert_max_num_queries: Any
) -> None:
    token = issuer.token()
    get_own_account(token)

    with django_assert_max_num_queries(8):
        get_own_account(token)
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
def test_a_token_with_wrong_claims_is_refused(issuer: Issuer, changes: dict[str, Any]) -> None:
    response = get_own_account(issuer.token(**changes))

    assert response.status_code == 401
    assert response.headers["Content-Type"] == "application/problem+json"
    assert not User.objects.exists()


def test_a_token_of_another_issuer_or_key_is_refused(issuer: Issuer) -> None:
    assert (
        get_own_account(issuer.token(iss="https://login.microsoftonline.com/x/v2.0")).status_code
        == 401
    )
    kid, _ = issuer.keys[-1]
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = jwt.encode(issuer.claims(), other, "RS256", headers={"kid": kid})
    assert get_own_account(forged).status_code == 401
    assert (
        get_own_account(jwt.encode(issuer.claims(), "", "none", headers={"kid": kid})).status_code
        == 401
    )
    assert get_own_account(jwt.encode(issuer.claims(), other, "RS256")).status_code == 401, "no kid"


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(issuer: Issuer) -> None:
    """Algorithm confusion: HS256 with the text of the published key as the secret."""
    kid, key = issuer.keys[-1]
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    unsigned = jwt.encode(issuer.claims(), "x" * 32, "HS256", headers={"kid": kid})
    body = unsigned.rpartition(".")[0]
    mac = hmac.digest(pem, body.encode(), "sha256")

    forged = f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    assert get_own_account(forged).status_code == 401


def test_rotated_signing_keys_are_fetched(issuer: Issuer) -> None:
    old = issuer.token()
    assert get_own_account(old).status_code == 200
    entra._signing_keys(issuer.settings()["keys"]).cooldown_duration = 0  # as after five seconds

    issuer.rotate(keep=True)
    assert get_own_account(issuer.token()).status_code == 200
    assert get_own_account(old).status_code == 200, "both are published for a while"
    issuer.rotate()
    assert get_own_account(issuer.token()).status_code == 200
    assert get_own_account(old).status_code == 401


def test_unknown_key_ids_do_not_cause_a_fetch_each(issuer: Issuer) -> None:
    assert get_own_account(issuer.token()).status_code == 200

    for n in range(10):
        assert get_own_account(issuer.token(kid=f"unknown{n}")).status_code == 401

    assert issuer.asked_for_keys == 1


def test_an_unreachable_tenant_gives_503_until_it_is_back(issuer: Issuer) -> None:
    issuer.refuses = True

    response = get_own_account(issuer.token())
    assert response.status_code == response.json()["status"] == 503
    issuer.refuses = False
    assert get_own_account(issuer.token()).status_code == 200


def test_an_existing_user_name_is_not_taken_over(issuer: Issuer) -> None:
    root = User.objects.create_superuser("carla@example.org", email="carla@example.org")

    account = get_own_account(issuer.token(preferred_username="Carla@example.org")).json()

    assert account["username"] != root.username
    assert account["is_superuser"] is False
    assert User.objects.count() == 2


def test_a_deactivated_account_is_refused(issuer: Issuer) -> None:
    token = issuer.token()
    get_own_account(token)
    users.set_active(User.objects.get(), active=False)

    assert get_own_account(token).status_code == 401


def test_tokens_of_this_service_are_accepted_too(issuer: Issuer) -> None:
    assert client_with_token(make_user("bob"))("get", "/auth/me/").status_code == 200


def test_without_a_configured_tenant_its_tokens_are_refused() -> None:
    with running_issuer() as issuer:
        assert get_own_account(issuer.token()).status_code == 401
        assert issuer.asked_for_keys == 0
    assert Client().get("/sign-in/entra/").status_code == 404
    assert Client().get("/sign-in/entra/callback/", {"code": "x", "state": "y"}).status_code == 404
    for path in ("/sign-in/", "/admin/login/"):
        assert b"Microsoft" not in Client().get(path).content


def test_the_tenant_is_configured_by_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert from_environment() == {}
    monkeypatch.setenv("ENTRA_TENANT", TENANT)
    monkeypatch.setenv("ENTRA_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("ENTRA_ROLES", "Reader=viewer, Writer=curator")

    tenant = from_environment()

    assert tenant["issuer"] == f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert tenant["keys"].endswith(f"{TENANT}/discovery/v2.0/keys")
    assert tenant["roles"] == {"Reader": "viewer", "Writer": "curator"}
    assert tenant["client"] == ""


@pytest.mark.parametrize("name", ["..", "\u0441arla@example.org", "CARL4@example.org", "x y", ""])
def test_a_user_name_that_is_invalid_here_is_replaced_by_the_object_id(
    issuer: Issuer, name: str
) -> None:
    User.objects.create_user("carl4@example.org")

    account = get_own_account(issuer.token(preferred_username=name)).json()

    assert account["username"] == issuer.claims()["oid"]
