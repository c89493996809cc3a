"""Answers of the API about files, runs and the storage: as the schema describes them, and strict."""

import datetime as dt
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from esma_files import steps
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile
from instruments.pipeline import load, register_files
from tests.conftest import FIRDS
from tests.register import FakeRegister

pytestmark = pytest.mark.django_db(transaction=True)

LOCAL = FIRDS / "FULINS_C_20250830_01of01.zip"
DAY = dt.date(2025, 8, 30)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    document: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return document


@pytest.fixture
def files(esma: FakeRegister) -> None:
    """A loaded, a failed and a listed file, a gap, and the runs of these."""
    list(load(register_files([LOCAL])))
    esma.publish("FULINS_E_20250830_01of02.zip", b"PK", day=f"{DAY}")
    esma.publish("DLTINS_20250830_01of01.zip", b"<html>", day=f"{DAY}")
    steps.sync(Dataset.ESMA_FIRDS, since=DAY, until=DAY)
    with pytest.raises(Exception, match="instead of a zip"):
        call_command("download", "DLTINS_20250830_01of01.zip", "--format", "json")


def check(schema: dict[str, Any], path: str, answer: Any) -> None:
    """Validate the answer of a GET against the schema of its operation."""
    operation = schema["paths"][f"/api/v1/{path}"]["get"]
    [content] = operation["responses"]["200"]["content"].values()
    validator = jsonschema.Draft202012Validator(
        {**content["schema"], "components": schema["components"]},
        format_checker=jsonschema.FormatChecker(),
    )
    assert [(list(e.absolute_path), e.message) for e in validator.iter_errors(answer)] == []


@pytest.mark.parametrize(
    "path", ["files/", "files/gaps/", "runs/", "storage/", "storage/retention/"]
)
def test_an_answer_is_as_the_schema_describes_it(
    path: str, schema: dict[str, Any], files: None, client: Client, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READ = True

    answer = client.get(f"/api/v1/{path}").json()

    assert answer
    check(schema, path, answer)


def test_a_single_file_and_run_are_as_the_schema_describes_them(
    schema: dict[str, Any], files: None, client: Client, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READ = True

    for file in EsmaFile.objects.all():
        check(schema, "files/{name}/", client.get(f"/api/v1/files/{file.name}/").json())
    runs = client.get("/api/v1/runs/").json()["results"]
    assert {run["file"] for run in runs} >= {None, LOCAL.name}
    for run in runs:
        check(schema, "runs/{id}/", client.get(f"/api/v1/runs/{run['id']}/").json())


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("files/?selected=nonsense", "selected"),
        ("files/?kept=1", "kept"),
        ("files/?dataset=esma", "dataset"),
        ("files/?kind=FULINS_E", "kind"),
        ("files/?state=gone", "state"),
        ("files/?day=yesterday", "day"),
        ("files/?source=esma_firds", "source"),
        ("files/gaps/?selected=true", "selected"),
        (f"files/{LOCAL.name}/?dataset=nobody", "dataset"),
        (f"files/{LOCAL.name}/?page=2", "page"),
        ("runs/?kind=party", "kind"),
        ("runs/?since=2025-13-01", "since"),
        ("storage/?dataset=esma_firds", "dataset"),
        ("storage/retention/?all=true", "all"),
    ],
)
def test_a_parameter_or_value_that_is_not_known_is_refused(
    path: str, parameter: str, client: Client, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READ = True

    answer = client.get(f"/api/v1/{path}")

    assert answer.status_code == 400, answer.content
    assert list(answer.json()["errors"]) == [parameter]


@pytest.mark.parametrize(("value", "count"), [("true", 0), ("false", 2)])
def test_files_are_filtered_by_what_the_settings_ask_for(
    value: str, count: int, files: None, client: Client, settings: LazySettings, tmp_path: Path
) -> None:
    settings.ANONYMOUS_READ = True
    settings.DOWNLOAD_KINDS = ["FULECR"]

    results = client.get(f"/api/v1/files/?selected={value}&kind=FULINS").json()["results"]

    assert len(results) == count
