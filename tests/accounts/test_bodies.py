"""Hostile request bodies: the answer is a problem that says what is wrong, never a 500."""

import json
from typing import Any

import pytest
from django.test import Client

from tests.accounts.clients import PASSWORD, client_of_new_user

pytestmark = pytest.mark.django_db
PUBLIC = ["/api/v1/auth/token/", "/api/v1/auth/refresh/", "/api/v1/auth/logout/"]
SIGNED_IN = ["/api/v1/api-keys/", "/api/v1/users/", "/api/v1/roles/", "/api/v1/auth/password/"]
BODIES = {
    "1,000 brackets": b"[" * 1_000,
    "100,000 brackets": b"[" * 100_000,
    "complete nesting": b"[" * 500 + b"]" * 500,
    "nested objects": b'{"a":' * 900 + b"1" + b"}" * 900,
    "nested value": b'{"username": ' + b"[" * 200 + b"]" * 200 + b', "password": "x"}',
    "not an object": b"[1, 2]",
    "no JSON": b"\xff\xfe",
    "lone surrogate": b'{"username": "\\ud800", "password": "x", "refresh": "\\ud800"}',
    "null characters": b'{"username": "a\\u0000", "password": "x", "refresh": "\\u0000"}',
    "not a number": b'{"days": NaN}',
    "huge number": b'{"days": 1e999999}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("path", PUBLIC)
def test_a_hostile_body_is_refused_before_signing_in(path: str, body: bytes) -> None:
    response = Client(raise_request_exception=False).post(
        path, body, content_type="application/json"
    )

    assert response.status_code in (400, 401)
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", SIGNED_IN)
def test_hostile_bodies_of_an_admin_are_refused(path: str) -> None:
    admin = client_of_new_user("ada", "admin")
    admin.client.raise_request_exception = False

    for name, body in BODIES.items():
        response = admin.client.post(path, body, content_type="application/json")
        assert response.status_code == 400, name
        assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/notes/", {"subject": "instrument", "code": "\ud800", "text": "x"}),
        ("/api/v1/webhooks/", {"url": "https://\ud800.example/"}),
        ("/api/v1/lookup/", [{"idType": "ID_ISIN", "idValue": "\udfff"}]),
        ("/api/v1/reportability/", {"items": [{"isin": "\ud800"}]}),
        ("/api/v1/corrections/", {"\ud800": "x"}),
        ("/mcp/", {"jsonrpc": "2.0", "id": "\ud800", "method": "tools/list"}),
    ],
)
def test_half_of_a_character_is_refused_wherever_it_is(path: str, body: Any) -> None:
    admin = client_of_new_user("ada", "admin")
    admin.client.raise_request_exception = False

    response = admin.client.post(path, json.dumps(body), content_type="application/json")

    assert response.status_code == 400, response.content
    assert "half of a character" in response.content.decode()
    text = json.dumps({"subject": "instrument", "code": "X", "text": "\U0001f600"})  # a whole one
    assert "\\ud83d" in text
    assert admin.client.post("/api/v1/notes/", text, "application/json").status_code == 404


def test_a_message_about_an_item_of_a_list_names_its_path() -> None:
    admin = client_of_new_user("ada", "admin")

    body = {"username": "bob", "password": PASSWORD, "roles": ["viewer", {"a": 1}]}
    response = admin("post", "/users/", body)

    assert response.status_code == 400
    assert json.loads(response.content)["errors"] == {"roles.1": ["Not a valid string."]}
