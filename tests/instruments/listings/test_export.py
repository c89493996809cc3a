"""Exports: every instrument of a filter, in each form, whole."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from audit.models import Event
from instruments.listings import export
from instruments.models import Instrument
from tests.accounts.clients import make_user

pytestmark = pytest.mark.django_db(transaction=True)

EXPORT = "/api/v1/instruments/export/"


@pytest.fixture
def analyst(client: Client, real_instruments: None) -> Client:
    client.force_login(make_user("ana", "analyst"))
    return client


def expected(**filters: Any) -> list[dict[str, Any]]:
    found = Instrument.objects.filter(**filters).order_by("isin")
    return list(found.values(*export.COLUMNS))


def content(client: Client, **parameters: str) -> bytes:
    response = client.get(EXPORT, parameters)
    assert response.status_code == 200, response.content
    assert response.headers["Content-Disposition"].startswith("attachment")
    return bytes(response.getvalue())


def test_csv_holds_every_instrument(analyst: Client) -> None:
    rows = list(csv.DictReader(io.StringIO(content(analyst).decode(), newline="")))

    assert rows == [{k: "" if v is None else str(v) for k, v in row.items()} for row in expected()]
    assert len(rows) > 300


def test_ndjson_holds_every_instrument_of_a_filter(analyst: Client) -> None:
    lines = content(analyst, file="ndjson", category="D").decode().splitlines()

    assert [json.loads(line) for line in lines] == expected(cfi_code__startswith="D")


def test_parquet_holds_every_instrument(analyst: Client) -> None:
    table = pq.read_table(io.BytesIO(content(analyst, file="parquet")))

    assert table.to_pylist() == expected()
    assert table.schema.field("listing_count").type == "int32"


def test_parquet_comes_in_row_groups(real_instruments: None) -> None:
    pages = export.pages(Instrument.objects.all(), size=100)

    parts = list(export.as_parquet(pages))

    file = pq.ParquetFile(io.BytesIO(b"".join(parts)))
    assert file.num_row_groups == len(parts) - 1 > 3
    assert file.read().to_pylist() == expected()


def test_nothing_found_is_a_file_all_the_same(analyst: Client) -> None:
    assert content(analyst, q="nonsense").decode().strip() == ",".join(export.COLUMNS)
    table = pq.read_table(io.BytesIO(content(analyst, q="nonsense", file="parquet")))
    assert (table.num_rows, tuple(table.column_names)) == (0, export.COLUMNS)


def test_memory_holds_one_page_at_a_time(
    real_instruments: None, django_assert_num_queries: Any
) -> None:
    pages = export.pages(Instrument.objects.all())
    with django_assert_num_queries(1):
        next(pages)


def test_an_analyst_has_a_limit_and_a_curator_none(
    analyst: Client, settings: LazySettings, client: Client
) -> None:
    settings.EXPORT_MAX_ROWS = 100

    refused = analyst.get(EXPORT)
    assert refused.status_code == 403
    assert "narrow the filter" in refused.json()["detail"]
    assert len(content(analyst, category="C").splitlines()) < 100
    client.force_login(make_user("carla", "curator"))
    assert len(content(client).splitlines()) > 300


@pytest.mark.parametrize(
    ("role", "parameters", "status"),
    [
        ("viewer", {}, 403),
        ("analyst", {"file": "xlsx"}, 400),
        ("analyst", {"nonsense": "1"}, 400),
        ("analyst", {"isin": "x"}, 400),
    ],
)
def test_who_or_what_is_refused(
    client: Client, role: str, parameters: dict[str, str], status: int
) -> None:
    client.force_login(make_user("user", role))

    assert client.get(EXPORT, parameters).status_code == status
    assert not Event.objects.filter(action="instruments.exported").exists()


@pytest.mark.usefixtures("anonymous_reading")
def test_reading_for_all_is_not_exporting_for_all(client: Client) -> None:
    assert client.get(EXPORT).status_code == 401


def test_who_exported_what_is_in_the_trail(analyst: Client) -> None:
    content(analyst, category="E", file="ndjson")

    event = Event.objects.get(action="instruments.exported")
    assert (event.actor, event.new) == ("ana", {"category": "E", "file": "ndjson"})
    assert User.objects.get().username == "ana"


def test_the_command_writes_a_whole_file_or_none(real_instruments: None, tmp_path: Path) -> None:
    path = tmp_path / "debt.parquet"
    out = io.StringIO()

    call_command("export", str(path), "--category", "D", stdout=out)

    rows = expected(cfi_code__startswith="D")
    assert pq.read_table(path).to_pylist() == rows
    assert f"{len(rows):,} instruments" in out.getvalue()
    for bad, said in (("x.xlsx", "must end in"), ("none/x.csv", "No such file")):
        with pytest.raises(CommandError, match=said):
            call_command("export", str(tmp_path / bad))
    with pytest.raises(CommandError, match="--category"):
        call_command("export", str(tmp_path / "y.csv"), "--category", "X")
    assert sorted(p.name for p in tmp_path.glob("*.*")) == ["debt.parquet"]
