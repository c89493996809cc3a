"""Signing in to pages and admin by Entra ID, against an issuer that really signs."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts import lifecycle
from accounts.models import User
from audit.models import Event
from tests.issuer import AUDIENCE, CLIENT, Issuer

pytestmark = pytest.mark.django_db


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
