"""The media types of answers, methods, and what refusals say about the right ones."""

from typing import Any, cast

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from instruments.listings.export_files import MEDIA_TYPES
from marketdata.api.negotiation import get_file_types
from tests.accounts.clients import make_user

EXPORT = "/api/v1/instruments/export/"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("anonymous_reading")]


@pytest.fixture
def analyst(client: Client) -> Client:
    client.force_login(make_user("ana", "analyst"))
    return client


def test_each_media_type_of_the_schema_may_be_asked_for() -> None:
    generator: Any = cast(Any, SchemaGenerator)()
    paths = generator.get_schema(request=None, public=True)["paths"]
    described = 0
    for path, _, method, view in generator._get_paths_and_endpoints():
        content = paths.get(path, {}).get(method.lower(), {}).get("responses", {}).get("200", {})
        renderers = [renderer.media_type for renderer in view.get_renderers()]
        files = set(content.get("content", {})) - {"application/json", "text/plain"}
        assert files <= {*get_file_types(view), *renderers}, path
        described += bool(files)
    assert described >= 8


@pytest.mark.parametrize("media_type", MEDIA_TYPES.values())
def test_an_export_has_the_media_type_that_is_accepted(analyst: Client, media_type: str) -> None:
    accept = media_type.partition(";")[0]

    response = analyst.get(EXPORT, headers={"accept": accept})

    assert (response.status_code, response.headers["Content-Type"]) == (200, media_type)


@pytest.mark.parametrize(
    ("accept", "query", "media_type"),
    [
        ("*/*", "", "text/csv; charset=utf-8"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "", "text/csv; charset=utf-8"),
        ("text/csv;q=0.5, application/x-ndjson", "", "application/x-ndjson"),
        ("text/csv", "file=ndjson", "application/x-ndjson"),
    ],
)
def test_the_parameter_precedes_the_header(
    analyst: Client, accept: str, query: str, media_type: str
) -> None:
    response = analyst.get(f"{EXPORT}?{query}", headers={"accept": accept})

    assert response.headers["Content-Type"] == media_type


def test_an_unknown_profile_is_an_invalid_parameter(analyst: Client) -> None:
    response = analyst.get(f"{EXPORT}?profile=nobody")

    assert response.status_code == 400
    assert response.json()["errors"] == {"profile": ["There is no profile nobody."]}


def test_only_csv_is_made_safe_for_spreadsheets(analyst: Client) -> None:
    headers = {"accept": "application/x-ndjson"}

    response = analyst.get(f"{EXPORT}?spreadsheet=safe", headers=headers)

    assert response.json()["errors"] == {"spreadsheet": ["Only for file=csv."]}


@pytest.mark.parametrize(
    ("path", "types"),
    [
        ("/api/v1/venues/", "application/json, text/html."),
        (EXPORT, "text/csv, application/json, application/x-ndjson, text/xml"),
    ],
)
def test_a_refusal_names_the_media_types_of_the_answer(
    analyst: Client, path: str, types: str
) -> None:
    response = analyst.get(path, headers={"accept": "image/png"})

    assert response.status_code == 406
    assert types in response.json()["detail"]


def test_a_refusal_names_the_media_type_of_the_body(analyst: Client) -> None:
    response = analyst.post("/api/v1/lookup/", "[]", content_type="text/plain")

    assert response.status_code == 415
    assert response.json()["detail"].endswith("The body may be: application/json.")


def test_a_refusal_names_the_size_of_the_body(analyst: Client) -> None:
    response = analyst.post("/api/v1/lookup/", " " * 1_000_001, content_type="application/json")

    assert response.status_code == 413
    assert response.json()["detail"] == "The body is too large: at most 1,000,000 bytes."


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("post", "/api/v1/venues/?country=DE", "GET, HEAD, OPTIONS."),
        ("get", "/api/v1/lookup/", "POST, OPTIONS."),
    ],
)
def test_a_refusal_names_the_methods(analyst: Client, method: str, path: str, allowed: str) -> None:
    response = getattr(analyst, method)(path)

    assert response.status_code == 405
    assert response.json()["detail"].endswith(f"Allowed: {allowed}")


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_a_path_without_its_slash_is_unknown_and_named(client: Client, method: str) -> None:
    response = getattr(client, method)("/api/v1/lookup")

    assert response.status_code == 404
    assert response.json()["detail"].endswith("Paths end with a slash: /api/v1/lookup/")
    assert "/api/docs/" in getattr(client, method)("/api/v1/lookups").json()["detail"]


@pytest.mark.parametrize("path", ["/api/v1/venues/", "/api/v1/cfi/DBFTFB/"])
def test_the_head_of_an_answer_is_conditional_too(client: Client, path: str) -> None:
    etag = client.get(path).headers["ETag"]

    response = client.head(path, headers={"if-none-match": etag})

    assert (response.status_code, response.content) == (304, b"")
    assert client.head(path).headers["ETag"] == etag
    assert client.head(path, headers={"if-none-match": '"another"'}).status_code == 200


def test_a_precondition_that_fails_is_a_problem(client: Client) -> None:
    response = client.get("/api/v1/venues/", headers={"if-match": '"another"'})

    assert response.status_code == 412
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "If-Match" in response.json()["detail"]
