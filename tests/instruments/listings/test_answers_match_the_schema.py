"""Answers about instruments and listings match the OpenAPI schema."""

from typing import Any

import jsonschema
import pytest
from django.test import Client

BOND, DERIVATIVE, UNDERLYING = "DE000A1R07V3", "DE000A2253D4", "US6311011026"
ROOT = "/api/v1/instruments/"
pytestmark = pytest.mark.usefixtures("real_instruments", "anonymous_reading")


@pytest.fixture
def document(client: Client) -> Any:
    return client.get("/api/schema/", {"format": "json"}).json()


def check(document: Any, template: str, method: str, answer: Any) -> None:
    responses = document["paths"][template][method]["responses"]
    schema = responses["200"]["content"]["application/json"]["schema"]
    strict = {**document, **schema}
    jsonschema.Draft202012Validator(strict).validate(answer)
    unknown = _get_undocumented(answer, schema, document)
    assert unknown == set(), template


def _get_undocumented(answer: Any, schema: Any, document: Any) -> set[str]:
    """Return the names of fields in an answer that its schema does not have."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        schema = document["components"]["schemas"][name]
    if isinstance(answer, list):
        found = [_get_undocumented(item, schema.get("items", {}), document) for item in answer]
        return set().union(*found)
    properties = schema.get("properties")
    if not isinstance(answer, dict) or not properties:
        return set()
    undocumented = set(answer) - set(properties)
    for name in set(answer) & set(properties):
        undocumented |= _get_undocumented(answer[name], properties[name], document)
    return undocumented


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("", "?per_page=5"),
        ("", "?cursor="),
        ("", f"?isin={BOND},SE0000115446,x"),
        ("{isin}/", f"{BOND}/"),
        ("{isin}/", f"{BOND}/?as_of=2018-01-01"),
        ("{isin}/", f"{DERIVATIVE}/?known_on=2025-09-01"),
        ("{isin}/history/", f"{BOND}/history/"),
        ("{isin}/listings/", f"{BOND}/listings/"),
        ("{isin}/reportable/", f"{BOND}/reportable/?on=2016-01-01"),
        ("{isin}/reportable/", f"{BOND}/reportable/?known_on=2000-01-01"),
        ("{isin}/derivatives/", f"{UNDERLYING}/derivatives/"),
        ("{isin}/underlyings/", f"{DERIVATIVE}/underlyings/"),
        ("changes/", "changes/?limit=3"),
        ("changes/", "changes/?limit=3&expand=record"),
    ],
)
def test_an_answer_matches_its_schema(
    client: Client, document: Any, template: str, path: str
) -> None:
    response = client.get(f"{ROOT}{path}")

    assert response.status_code == 200, response.content
    check(document, f"{ROOT}{template}", "get", response.json())


def test_a_posted_look_up_matches_its_schema(client: Client, document: Any) -> None:
    body = {"isins": [BOND, "SE0000115446", "x"]}

    response = client.post(f"{ROOT}lookup/", body, content_type="application/json")

    assert response.status_code == 200, response.content
    check(document, f"{ROOT}lookup/", "post", response.json())
