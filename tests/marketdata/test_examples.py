"""The examples of the OpenAPI schema are answers to real requests.

When operations or fields have changed, `WRITE_EXAMPLES=1 pytest tests/marketdata/test_examples.py` writes
marketdata/api/examples.json anew.
"""

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from django.db import transaction
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from accounts import tokens
from marketdata.api import examples
from tests.marketdata import example_requests
from tests.snapshots import Snapshots

_HOST = "https://marketdata.example.org"
_SECRETS = {"access", "refresh", "key", "password", "old_password", "new_password", "secret"}
# Binary files, and NDJSON, which is not one JSON value.
_WITHOUT_EXAMPLES = {
    "application/zip",
    "application/xml",
    "application/x-ndjson",
    "application/vnd.apache.parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_LONGEST_LIST, _LINES, _LONGEST_TEXT = 2, 4, 1_000


@pytest.fixture(scope="module")
def schema() -> Any:
    generator: Any = SchemaGenerator  # untyped
    return json.loads(json.dumps(generator().get_schema(request=None, public=True)))


def list_operations(schema: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def get_examples(media: Any) -> list[Any]:
    if "example" in media:
        return [media["example"]]
    return [example["value"] for example in media.get("examples", {}).values()]


def test_every_operation_has_examples_that_match_its_schema(schema: Any) -> None:
    problems = []
    for path, method, operation in list_operations(schema):
        contents = {"body": operation.get("requestBody", {}).get("content", {})}
        statuses = [status for status in operation["responses"] if status.startswith("2")]
        for status in statuses:
            contents[status] = operation["responses"][status].get("content", {})
        for kind, content in contents.items():
            for media in [name for name in content if name not in _WITHOUT_EXAMPLES]:
                shown = get_examples(content[media])
                if not shown:
                    problems.append(f"{method} {path}: no example of {kind} {media}")
                for example in shown:
                    document = {**schema, **content[media]["schema"]}
                    errors = jsonschema.Draft202012Validator(document).iter_errors(example)
                    problems += [f"{method} {path} {kind}: {error.message}" for error in errors]
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path" and "example" not in parameter:
                problems.append(f"{method} {path}: no example of {parameter['name']}")
    assert problems == [], "\n".join(problems)


def test_examples_are_of_operations_that_exist(schema: Any) -> None:
    names = {operation["operationId"] for *_, operation in list_operations(schema)}
    assert set(examples.read_all()) == names


def shorten(value: Any, name: str = "") -> Any:
    """Return a value of an answer without secrets, and with short lists and texts."""
    if isinstance(value, dict):
        return {key: shorten(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [shorten(item, name) for item in value[:_LONGEST_LIST]]
    if isinstance(value, str):
        if name in _SECRETS:
            return "..."
        return re.sub("http://testserver", _HOST, value)[:_LONGEST_TEXT]
    return value


def get_shape(value: Any, name: str = "") -> Any:
    """Return the names of fields at all levels, those of the items of a list together; of CSV its header.

    The version of the project is the one value that counts: examples show that of this release.
    """
    if isinstance(value, dict):
        return {name: get_shape(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [get_shape(item) for item in value[:1]]
    if name == "version":
        return value
    return value.partition("\n")[0] if name == "text/csv" else ""


def read_example(client: Client, path: str, method: str, request: Any) -> dict[str, Any]:
    """Return the example of an operation: the request, and what was answered."""
    address = path.format(**request.path)
    is_text = isinstance(request.body, str)
    body = request.body if is_text else json.dumps(request.body) if request.body else ""
    media_type = "text/csv" if is_text else "application/json"
    example: dict[str, Any] = {"answers": {}}
    for query in (request.query, *request.other_forms):
        # What one request changes, the next one does not see; no message is sent to workers.
        with transaction.atomic():
            if request.prepare is not None:
                request.prepare()
            response: Any = client.generic(
                method.upper(), address, body, media_type, query_params=query
            )
            content = b"".join(response)
            transaction.set_rollback(True)
        example["status"] = str(response.status_code)
        media = response.headers.get("Content-Type", "").partition(";")[0]
        if media.endswith("json"):
            example["answers"][media] = shorten(json.loads(content))
        elif media.startswith("text/"):
            lines = content.decode().splitlines(keepends=True)
            example["answers"][media] = "".join(lines[:_LINES])
    if request.path:
        example["path"] = request.path
    if request.body is not None:
        example["body"] = shorten(request.body)
    return example


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_examples_are_answers_to_real_requests(schema: Any, snapshots: Snapshots) -> None:
    snapshots.provide("examples", example_requests.fill_with_demo)
    rows = example_requests.add_rows()
    requests = example_requests.make_requests(rows)
    access = tokens.issue(rows["boss"])["access"]
    client = Client(headers={"authorization": f"Bearer {access}"})
    made = {}
    for path, method, operation in list_operations(schema):
        request = example_requests.get_request(operation, path, requests)
        made[operation["operationId"]] = read_example(client, path, method, request)
    refused = {name: example for name, example in made.items() if example["status"] >= "3"}
    # The service of a test has no worker.
    assert {name for name in refused if not name.startswith("health")} == set()
    if os.environ.get("WRITE_EXAMPLES"):
        # An example that still fits stays, so that the file changes with the API alone.
        kept = examples.read_all()
        fitting = {name for name in made if get_shape(made[name]) == get_shape(kept.get(name))}
        written = {name: kept[name] if name in fitting else made[name] for name in made}
        text = json.dumps(written, indent=1, ensure_ascii=False, sort_keys=True)
        examples.PATH.write_text(f"{text}\n", encoding="utf-8")
        examples.read_all.cache_clear()
    kept = examples.read_all()
    different = [name for name in made if get_shape(made[name]) != get_shape(kept[name])]
    assert different == [], "write the examples anew: see above"
