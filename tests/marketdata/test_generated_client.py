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
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from pytest_django.live_server_helper import LiveServer

from accounts import api_keys, tokens
from accounts.models import User
from curation import watching
from curation.importing import batches
from curation.models import ImportBatch, WatchList
from curation.problem_kinds import KINDS
from curation.proposals import Proposal, propose
from esma_files.models import EsmaFile, RejectedRecord
from instruments.models import Figi, Reconciliation, Webhook
from instruments.profiles import saving
from tests.accounts.clients import make_user
from tests.marketdata.test_any_request import KEYS, fill
from tests.snapshots import Snapshots

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ISIN, PACKAGE = "XS0107289323", "generated_client"
# The generator knows no other type of a binary answer.
CONFIG = "content_type_overrides:\n  application/zip: application/octet-stream\n"


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


def make_rows(boss: User) -> dict[str, str]:
    """Add a row of each kind that no file has; return the keys of rows by the name of the parameter."""
    file = EsmaFile.objects.get(name=KEYS["name"])
    RejectedRecord.objects.create(pk=1, file=file, position=1, isin="X", field="A/B", reason="no")
    Reconciliation.objects.get_or_create(
        pk=1,
        defaults={
            "register": "ESMA",
            "category": "D",
            "published_on": file.published_on,
            "parts": 1,
            "compared": False,
        },
    )
    figi = Figi.objects.create(
        isin=ISIN, figi="BBG000BLNNH6", ticker="IBM", exchange_code="US", fetched_at=timezone.now()
    )
    proposal = Proposal("ESMA", ISIN, "full_name", "THAMES 6.5 2034", "A test")
    correction = propose(proposal, by="reader")
    table = b"mic,name,country,comments\nXSTO,Stockholm,SE,A test\n"
    batch = batches.try_import("venues", table, name="a.csv", by="boss", user=boss)
    ImportBatch.objects.filter(pk=batch.pk).update(id=correction.pk)
    watching.save(WatchList(pk=correction.pk, owner="boss", name="a", isins=[ISIN]))
    Webhook.objects.create(
        pk=correction.pk, owner="boss", url="https://example.org/", cursor="0.0.0", salt="a"
    )
    profile = saving.save("vendor", {"columns": ["isin", "full_name"]}, by="boss")
    key, _ = api_keys.create(boss, name="a", permissions=[], days=1)
    return {
        **KEYS,
        "isin": ISIN,
        "number": str(correction.pk),
        "figi": figi.figi,
        "profile": profile.name,
        "prefix": key.prefix,
        "kind": next(iter(KINDS)),
    }


def get_operations(
    package: str, keys: dict[str, str]
) -> Iterator[tuple[ModuleType, dict[str, str]]]:
    """Yield the module of each GET operation of the client, and the arguments that it cannot do without."""
    api = importlib.import_module(f"{package}.api")
    for listed in pkgutil.walk_packages(api.__path__, f"{api.__name__}."):
        module = importlib.import_module(listed.name)
        if listed.ispkg:
            continue
        parameters = inspect.signature(module._get_kwargs).parameters.values()
        required = [p.name for p in parameters if p.default is inspect.Parameter.empty]
        if "body" in required:
            continue
        # The same names of parameters have other keys here.
        own = {"name": "viewer"} if ".roles." in listed.name else {}
        own |= {"kind": "corrections"} if ".curation." in listed.name else {}
        names = {name: name.removesuffix("_").removesuffix("_path") for name in required}
        arguments = {name: own.get(key) or keys[key] for name, key in names.items()}
        if module._get_kwargs(**arguments)["method"] == "get":
            yield module, arguments


def test_a_generated_client_calls_every_get_operation(
    server: LiveServer, package: str, schema: dict[str, Any], snapshots: Snapshots
) -> None:
    snapshots.provide("any-request", fill)
    boss = make_user("boss", "admin")
    token, keys = tokens.issue(boss)["access"], make_rows(boss)
    client_class = importlib.import_module(package).AuthenticatedClient
    unexpected_status: Any = importlib.import_module(f"{package}.errors").UnexpectedStatus
    client = client_class(base_url=server.url, token=token, raise_on_unexpected_status=True)

    statuses = {}
    problems = []
    with client:
        for module, arguments in get_operations(package, keys):
            try:
                response = module.sync_detailed(client=client, **arguments)
            except (KeyError, ValueError, TypeError, AttributeError, unexpected_status) as error:
                problems.append(f"{module.__name__}: {type(error).__name__}: {error}"[:500])
                continue
            statuses[module.__name__] = int(response.status_code)
            if hasattr(module, "sync") and response.parsed is None:
                problems.append(f"{module.__name__}: nothing parsed of {response.content[:200]!r}")

    assert problems == []
    assert len(statuses) == sum("get" in operations for operations in schema["paths"].values())
    # The service of a test has no worker.
    unhealthy = {name: status for name, status in statuses.items() if status != 200}
    assert {name.split(".")[2]: status for name, status in unhealthy.items()} == {"health": 503}
