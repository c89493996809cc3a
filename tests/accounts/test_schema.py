"""Answers of accounts and the audit trail agree with the OpenAPI schema."""

from typing import Any

import jsonschema
import pytest
from django.test import Client

from audit import trail
from tests.accounts.clients import PASSWORD, client_of_new_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def schema() -> dict[str, Any]:
    document: dict[str, Any] = Client().get("/api/schema/", {"format": "json"}).json()
    return document


def operation(schema: dict[str, Any], path: str, method: str) -> dict[str, Any]:
    described: dict[str, Any] = schema["paths"][f"/api/v1{path}"][method]
    return described


@pytest.mark.usefixtures("anonymous_reading")
def test_answers_are_valid(schema: dict[str, Any]) -> None:
    admin = client_of_new_user("ada", "admin")
    trail.record("file.deleted", about="FULINS_E_20250830_01of02.zip")
    trail.record("file.changed", old={"a": 1}, new={"a": [1, None]})
    user = {"username": "bob", "password": PASSWORD}
    key = {"name": "n", "permissions": ["instruments.view_instrument"]}
    role = {"name": "auditors", "permissions": ["audit.view_event"]}
    requests: list[tuple[str, str, str, Any]] = [
        ("post", "/users/", "/users/", user),
        ("get", "/users/", "/users/", None),
        ("get", "/users/{username}/", "/users/bob/", None),
        ("patch", "/users/{username}/", "/users/bob/", {"email": "", "roles": []}),
        ("get", "/users/{username}/", "/users/nobody/", None),
        ("post", "/roles/", "/roles/", role),
        ("get", "/roles/", "/roles/", None),
        ("patch", "/roles/{name}/", "/roles/viewer/", {"permissions": []}),
        ("post", "/api-keys/", "/api-keys/", key),
        ("get", "/api-keys/", "/api-keys/", None),
        ("get", "/api-keys/{prefix}/", "/api-keys/none/", None),
        ("get", "/auth/me/", "/auth/me/", None),
        ("patch", "/auth/me/", "/auth/me/", {"email": "a@b.eu"}),
        ("post", "/auth/token/", "/auth/token/", user),
        ("post", "/auth/refresh/", "/auth/refresh/", {"refresh": "x"}),
        ("post", "/auth/token/", "/auth/token/", {}),
        ("get", "/audit/", "/audit/", None),
        ("get", "/audit/", "/audit/", {"since": "yesterday"}),
    ]

    for method, template, path, data in requests:
        response = admin(method, path, data)
        documented = operation(schema, template, method)["responses"]
        assert str(response.status_code) in documented, (method, path)
        [media_type] = {response.headers["Content-Type"].partition(";")[0]}
        body = documented[str(response.status_code)]["content"][media_type]["schema"]
        resolvable = {**body, "components": schema["components"]}
        validator = jsonschema.Draft202012Validator(
            resolvable, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        )
        errors = [f"{e.json_path}: {e.message}" for e in validator.iter_errors(response.json())]
        assert errors == [], (method, path)


@pytest.mark.usefixtures("anonymous_reading")
def test_bounds_and_patterns_that_are_enforced_are_documented(schema: dict[str, Any]) -> None:
    """Each body is refused by the schema and by the service."""
    admin = client_of_new_user("ada", "admin")
    user = {"username": "bob", "password": PASSWORD}
    key = {"name": "n", "permissions": ["instruments.view_instrument"]}
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/users/", {**user, "username": ".."}),
        ("/users/", {**user, "username": ""}),
        ("/users/", {**user, "username": "x" * 151}),
        ("/users/", {**user, "password": ""}),
        ("/users/", {**user, "password": "x" * 1001}),
        ("/users/", {**user, "email": "at"}),
        ("/users/", {**user, "roles": [""]}),
        ("/api-keys/", {**key, "permissions": []}),
        ("/api-keys/", {**key, "name": ""}),
        ("/api-keys/", {**key, "days": 0}),
        ("/api-keys/", {**key, "days": 3661}),
        ("/roles/", {"name": "Auditors", "permissions": []}),
        ("/auth/token/", {"username": "", "password": "x"}),
        ("/auth/refresh/", {"refresh": ""}),
    ]

    for path, body in bodies:
        content = operation(schema, path, "post")["requestBody"]["content"]
        resolvable = {**content["application/json"]["schema"], "components": schema["components"]}
        validator = jsonschema.Draft202012Validator(
            resolvable, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        )
        assert not validator.is_valid(body), (path, body)
        assert admin("post", path, body).status_code == 400, (path, body)


@pytest.mark.usefixtures("anonymous_reading")
def test_the_parameters_of_the_export_are_documented(schema: dict[str, Any]) -> None:
    parameters = operation(schema, "/audit/export/", "get")["parameters"]

    names = {parameter["name"] for parameter in parameters}
    assert names >= {"action", "actor", "address", "file", "object_id", "since", "until"}
