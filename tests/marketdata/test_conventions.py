"""The conventions of all operations of the API: one envelope of lists, and the choice of fields."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from accounts import tokens
from marketdata.api.parameters import get_accepted_parameters
from tests.accounts.clients import make_user
from tests.marketdata import example_requests
from tests.snapshots import Snapshots

# The operations that answer a bare array: in the form of OpenFIGI, as long as the request and in its order.
BARE = {"lookup"}


@pytest.fixture(scope="module")
def schema() -> Any:
    generator: Any = SchemaGenerator  # untyped
    return json.loads(json.dumps(generator().get_schema(request=None, public=True)))


def get_answers(schema: Any) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield path, method, operation and schema of each JSON answer that is not a file."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            content = operation["responses"].get("200", {}).get("content", {})
            is_file = len(content) > 1 and operation["operationId"] != "profiles_rows"
            if "application/json" in content and not is_file:
                yield path, method, operation, content["application/json"]["schema"]


def resolve(part: Any, schema: Any) -> Any:
    reference = part.get("$ref", "")
    return schema["components"]["schemas"][reference.rpartition("/")[2]] if reference else part


def get_lists(schema: Any) -> dict[str, tuple[str, Any]]:
    """Return path and schema of a row of each operation that has `fields`, by its name."""
    lists = {}
    for path, method, operation, answer in get_answers(schema):
        parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
        if method == "get" and "fields" in parameters:
            envelope = resolve(answer, schema)
            row = resolve(envelope["properties"]["results"]["items"], schema)
            lists[operation["operationId"]] = (path, row)
    return lists


def test_no_list_is_a_bare_array(schema: Any) -> None:
    answers = list(get_answers(schema))
    arrays = {
        operation["operationId"]
        for *_, operation, answer in answers
        if resolve(answer, schema).get("type") == "array"
    }

    assert len(answers) > 50
    assert arrays == BARE


def test_every_list_has_the_one_envelope(schema: Any) -> None:
    for path, method, operation, answer in get_answers(schema):
        if method == "get" and operation["operationId"].endswith("_list"):
            envelope = resolve(answer, schema)
            assert envelope["required"] == ["results", "pagination"], path
            names = set(envelope["properties"]["pagination"]["properties"])
            assert {"page", "per_page", "total", "pages", "next", "previous"} <= names, path


def test_the_parameters_that_are_accepted_are_those_of_the_schema(schema: Any) -> None:
    generator_class: Any = SchemaGenerator  # untyped
    generator = generator_class()
    generator._initialise_endpoints()
    endpoints = generator._get_paths_and_endpoints()
    problems = []
    for path, _, method, view in endpoints:
        operation = schema["paths"].get(path, {}).get(method.lower())
        if operation is None:  # not for clients, as /mcp/
            continue
        parameters = operation.get("parameters", ())
        documented = {row["name"] for row in parameters if row["in"] == "query"} | {"format"}
        accepted = get_accepted_parameters(view, method)
        if documented != accepted:
            problems.append(f"{method} {path}: {sorted(documented ^ accepted)}")

    assert len(endpoints) > 100
    assert problems == []


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_fields_of_every_list_are_those_of_the_schema(schema: Any, snapshots: Snapshots) -> None:
    snapshots.provide("examples", example_requests.fill_with_demo)
    rows = example_requests.add_rows()
    requests = example_requests.make_requests(rows)
    client = Client(headers={"authorization": f"Bearer {tokens.issue(rows['boss'])['access']}"})
    lists = get_lists(schema)

    assert len(lists) > 30
    for operation, (path, row) in lists.items():
        request = example_requests.get_request({"operationId": operation}, path, requests)
        address, known = path.format(**request.path), list(row["properties"])
        whole = client.get(address, request.query).json()["results"]
        chosen = client.get(address, {**request.query, "fields": known[0]}).json()["results"]
        refused = client.get(address, {**request.query, "fields": f"{known[0]},nonsense"})

        assert [list(chosen_row) for chosen_row in chosen] == [[known[0]]] * len(whole), operation
        assert refused.status_code == 400, operation
        assert list(refused.json()["errors"]) == ["fields"], operation
        for whole_row in whole:
            assert set(row["required"]) <= set(whole_row) <= set(known), operation


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_every_answer_is_shown_in_the_browsable_api(schema: Any, snapshots: Snapshots) -> None:
    snapshots.provide("examples", example_requests.fill_with_demo)
    rows = example_requests.add_rows()
    requests = example_requests.make_requests(rows)
    client = Client()
    client.force_login(rows["boss"])
    statuses = {}
    for path, method, operation, _ in get_answers(schema):
        if method == "get" and path.startswith("/api/"):
            request = example_requests.get_request(operation, path, requests)
            address = path.format(**request.path)
            shown = client.get(address, request.query, headers={"accept": "text/html"})
            statuses[operation["operationId"]] = shown.status_code
            assert shown.headers["Content-Type"].startswith("text/html"), path

    assert len(statuses) > 50
    assert {name: status for name, status in statuses.items() if status != 200} == {}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["instruments/", "venues/", "webhooks/", "volume-cap/"])
def test_an_empty_list_refuses_what_a_list_with_rows_refuses(path: str, client: Client) -> None:
    client.force_login(make_user("carl", "curator"))

    wrong = client.get(f"/api/v1/{path}", {"fields": "nonsense,x"})
    right = client.get(f"/api/v1/{path}", {"page": "1", "fields": " ,"})

    assert right.json()["results"] == []
    assert wrong.status_code == 400
    messages = wrong.json()["errors"]["fields"]
    assert [message.partition(".")[0] for message in messages] == [
        "Unknown field 'nonsense'",
        "Unknown field 'x'",
    ]
    assert re.search("Known fields: |/api/docs/ lists all [0-9]+ fields", messages[0])


@pytest.mark.django_db
def test_a_part_is_a_field_once_it_is_included(client: Client, anonymous_reading: None) -> None:
    alone = client.get("/api/v1/instruments/", {"fields": "isin,figis"})
    included = client.get("/api/v1/instruments/", {"fields": "isin,figis", "include": "figis"})

    assert alone.json()["errors"] == {"fields": ["'figis' is a part, which include=figis adds."]}
    assert included.status_code == 200
