"""A client that openapi-python-client makes from the OpenAPI schema calls every GET operation of a server."""

import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from pytest_django.live_server_helper import LiveServer

from accounts import tokens
from monitoring.health import report
from tests.marketdata.example_requests import (
    Example,
    add_rows,
    fill_with_demo,
    get_request,
    make_requests,
)
from tests.snapshots import Snapshots

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PACKAGE = "generated_client"
# The generator knows no other type of a binary answer, or of a body that is neither JSON nor a form.
CONFIG = (
    "content_type_overrides:\n"
    "  application/zip: application/octet-stream\n"
    "  text/csv: application/octet-stream\n"
)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    generator: Any = SchemaGenerator
    return dict(generator().get_schema(request=None, public=True))


@pytest.fixture(scope="module")
def package(schema: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Generate the client in a folder of its own; yield the name of its package."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "schema.json").write_bytes(OpenApiJsonRenderer().render(schema))
    (folder / "config.yml").write_text(CONFIG)
    program = Path(sys.executable).with_name("openapi-python-client")
    options = ["--path", "schema.json", "--config", "config.yml", "--meta", "none"]
    generated = subprocess.run(  # noqa: PLW1510  # its output is in the message
        [program, "generate", *options, "--output-path", PACKAGE, "--fail-on-warning"],
        cwd=folder,
        # It formats what it writes with ruff.
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert generated.returncode == 0, generated.stdout + generated.stderr
    sys.path.insert(0, str(folder))
    yield PACKAGE
    sys.path.remove(str(folder))


def get_operations(
    package: str, schema: dict[str, Any], requests: dict[str, Example]
) -> Iterator[tuple[ModuleType, dict[str, str]]]:
    """Yield the module of each GET operation of the client, and the arguments that it cannot do without."""
    paths = {
        methods["get"]["operationId"]: path
        for path, methods in schema["paths"].items()
        if "get" in methods
    }
    api = importlib.import_module(f"{package}.api")
    for listed in pkgutil.walk_packages(api.__path__, f"{api.__name__}."):
        operation = listed.name.rpartition(".")[2]
        if listed.ispkg or operation not in paths:
            continue
        module = importlib.import_module(listed.name)
        example = get_request({"operationId": operation}, paths[operation], requests)
        values = {**example.query, **example.path}
        parameters = inspect.signature(module._get_kwargs).parameters.values()
        required = [p.name for p in parameters if p.default is inspect.Parameter.empty]
        names = {name: name.removesuffix("_").removesuffix("_path") for name in required}
        yield module, {name: values[key] for name, key in names.items()}


def export_bonds(package: str, client: Any) -> bytes:
    """Return the ISINs of bonds as docs/api.md has a client export them."""
    models = importlib.import_module(f"{package}.models")
    module = importlib.import_module(f"{package}.api.instruments.instruments_export_retrieve")
    answer = module.sync_detailed(
        client=client,
        category=models.InstrumentsExportRetrieveCategory.D,
        file=models.InstrumentsExportRetrieveFile.CSV,
        fields="isin",
    )
    return bytes(answer.content)


def test_a_generated_client_calls_every_get_operation(
    server: LiveServer, package: str, schema: dict[str, Any], snapshots: Snapshots
) -> None:
    snapshots.provide("examples", fill_with_demo)
    rows = add_rows()
    token, requests = tokens.issue(rows["boss"])["access"], make_requests(rows)
    client_class = importlib.import_module(package).AuthenticatedClient
    unexpected_status: Any = importlib.import_module(f"{package}.errors").UnexpectedStatus
    client = client_class(base_url=server.url, token=token, raise_on_unexpected_status=True)
    report.recent.forget()  # what another test has asked for in the last seconds

    statuses = {}
    problems = []
    with client:
        for module, arguments in get_operations(package, schema, requests):
            try:
                response = module.sync_detailed(client=client, **arguments)
            except (KeyError, ValueError, TypeError, AttributeError, unexpected_status) as error:
                problems.append(f"{module.__name__}: {type(error).__name__}: {error}"[:500])
                continue
            statuses[module.__name__] = int(response.status_code)
            if hasattr(module, "sync") and response.parsed is None:
                problems.append(f"{module.__name__}: nothing parsed of {response.content[:200]!r}")

        bonds = export_bonds(package, client)

    assert bonds.startswith(b"isin\r\n")
    assert problems == []
    assert len(statuses) == sum("get" in operations for operations in schema["paths"].values())
    # The service of a test has no worker.
    unhealthy = {name: status for name, status in statuses.items() if status != 200}
    assert {name.split(".")[2]: status for name, status in unhealthy.items()} == {"health": 503}
