"""Signing in to pages and the admin with Entra ID, against a local issuer."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts import users
from accounts.models import User
from audit.models import Event
from tests.issuer import AUDIENCE, CLIENT, Issuer

pytestmark = pytest.mark.django_db


def start_sign_in(client: Client, path: str = "/sign-in/entra/?next=/admin/") -> dict[str, str]:
    """Return the parameters of the redirect to the tenant."""
    response = client.get(path)
    assert response.status_code == 302
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query))


def finish_sign_in(client: Client, **parameters: str) -> HttpResponse:
    """Send the browser back from the tenant with these parameters."""
    return client.get("/sign-in/entra/callback/", parameters)  # type: ignore[return-value]


def test_a_user_of_the_tenant_signs_in_to_the_admin(issuer: Issuer) -> None:
    client = Client()
    for path in ("/sign-in/", "/admin/login/"):
        assert b"Sign in with Microsoft" in client.get(path).content
    redirect = start_sign_in(client)
    assert redirect["client_id"] == CLIENT
    assert redirect["code_challenge_method"] == "S256"

    code = issuer.consent(redirect, roles=["Data.Curator"])
    response = finish_sign_in(client, code=code, state=redirect["state"])

    assert response.headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200
    assert User.objects.get().roles == ["curator"]
    assert Event.objects.filter(action="login", actor="carla@example.org").exists()
    users.set_active(User.objects.get(), active=False)
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": AUDIENCE},
        {"aud": "another client"},
        {"iss": "https://somewhere"},
        {"tid": "another"},
        {"nonce": "of another request"},
        {"nonce": None},
        {"exp": 1},
    ],
)
def test_an_id_token_with_wrong_claims_is_refused(issuer: Issuer, changes: dict[str, Any]) -> None:
    client = Client()
    redirect = start_sign_in(client)

    response = finish_sign_in(
        client, code=issuer.consent(redirect, **changes), state=redirect["state"]
    )

    assert response.headers["Location"].startswith("/sign-in/")
    assert not User.objects.exists()
    assert b"Signing in with Microsoft failed" in client.get(response.headers["Location"]).content


def test_a_code_cannot_be_used_in_another_browser(issuer: Issuer) -> None:
    redirect = start_sign_in(Client())
    code = issuer.consent(redirect)
    victim = Client()
    other = start_sign_in(victim)

    assert finish_sign_in(Client(), code=code, state=redirect["state"]).status_code == 302
    assert finish_sign_in(victim, code=code, state=redirect["state"]).status_code == 400
    finish_sign_in(victim, code=code, state=other["state"])  # with another code verifier
    assert not User.objects.exists()


def test_signing_in_does_not_redirect_to_other_sites(issuer: Issuer) -> None:
    client = Client()
    redirect = start_sign_in(client, "/sign-in/entra/?next=https://evil.example/")

    response = finish_sign_in(client, code=issuer.consent(redirect), state=redirect["state"])

    assert response.headers["Location"] == "/"


def test_an_unreachable_tenant_signs_nobody_in(issuer: Issuer) -> None:
    client = Client()
    redirect = start_sign_in(client)
    code = issuer.consent(redirect)
    issuer.refuses = True

    response = finish_sign_in(client, code=code, state=redirect["state"])

    assert response.headers["Location"].startswith("/sign-in/")
    assert finish_sign_in(client, error="access_denied").headers["Location"].startswith("/sign-in/")
