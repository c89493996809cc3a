"""Requests that schemathesis makes up from the OpenAPI schema: none fails, every answer is as documented.

Each operation is called as an anonymous reader and with the three roles, with valid and invalid values, and
with the keys of rows that exist in every second request. The requests are the same in every run.
"""

import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import schemathesis
from django.conf import LazySettings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi import checks

from accounts import tokens
from instruments import pipeline
from instruments.entities.models import LegalEntity
from instruments.models import Instrument
from tests.accounts.clients import make_user
from tests.conftest import DATA, FIRDS
from tests.snapshots import Snapshots

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ISIN, NAME = "XS0107289323", "FULINS_D_20250830_01of01.zip"
LEI = "213800FERQ5LE3H7WJ58"
# Keys that exist, by the name of the parameter.
KEYS = {
    "isin": ISIN,
    "name": NAME,
    "lei": LEI,
    "mic": "XFRA",
    "id": "1",
    "code": "DBFTFB",
    "register": "ESMA",
    "username": "reader",
}
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = 3  # of each operation and reader; 40 of each have been tried by hand


def fill() -> None:
    """Load a few real files of each kind."""
    call_command("load_venues", verbosity=0)
    folders = [DATA / "fitrs", DATA / "gleif"]
    files = [FIRDS / NAME, FIRDS / "FULINS_O_20250830_01of01.zip", *folders]
    for loaded in pipeline.load(pipeline.register_files(files, excerpt=True)):
        assert loaded.error is None
    make_user("reader")
    assert Instrument.objects.filter(pk=ISIN).exists()
    assert LegalEntity.objects.filter(lei=LEI).exists()


@pytest.fixture
def filled(transactional_db: None, own_folders: None, snapshots: Snapshots) -> None:
    snapshots.provide("any-request", fill)


def read_schema() -> Any:
    generator: Any = SchemaGenerator  # untyped
    document = OpenApiJsonRenderer().render(generator().get_schema(request=None, public=True))
    return schemathesis.openapi.from_dict(json.loads(document))


def buffered(application: Callable[..., Any]) -> Callable[..., Any]:
    """Return an application that sends each answer as a whole and closes it, as a server does."""

    def answer(environ: Any, start_response: Any) -> Iterable[bytes]:
        response = application(environ, start_response)
        try:
            return [b"".join(response)]
        finally:
            response.close()

    return answer


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("role", ["anonymous", "viewer", "curator", "admin"])
def test_every_answer_is_as_documented(role: str, settings: LazySettings) -> None:
    settings.ANONYMOUS_READ = role == "anonymous"
    settings.ALLOWED_HOSTS = ["localhost"]
    # Schemathesis does not unpack the answers of a WSGI application.
    headers = {"Accept-Encoding": "identity"}
    if role != "anonymous":
        access = tokens.issue(make_user(f"{role}-of-this-test", role))["access"]
        headers["Authorization"] = f"Bearer {access}"
    schema = read_schema()
    schema.app = buffered(get_wsgi_application())
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 80
    statuses = set()
    for operation in operations:
        statuses |= call(operation, headers)
    assert statuses >= ({200, 400, 401, 404} if role == "anonymous" else {200, 400, 404})


def call(operation: Any, headers: dict[str, str]) -> set[int]:
    """Call an operation with some examples; return the statuses of the answers."""
    statuses = set()
    numbers = itertools.count()
    keys = {name: key for name, key in KEYS.items() if f"{{{name}}}" in operation.path}

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        if next(numbers) % 2 == 0:
            case.path_parameters.update(keys)
        response = case.call(headers=headers)
        statuses.add(response.status_code)
        is_health = operation.path.startswith("/health")
        assert response.status_code < 500 or (response.status_code == 503 and is_health)
        case.validate_response(response, checks=CHECKS)

    check()
    return statuses
