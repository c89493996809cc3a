"""Exports: every instrument that matches a filter, in each format."""

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
from instruments.listings import export, export_files
from instruments.models import Instrument
from tests import firds
from tests.accounts.clients import make_user
from tests.instruments.listings.merging import Write, load

pytestmark = pytest.mark.django_db(transaction=True)

EXPORT = "/api/v1/instruments/export/"


@pytest.fixture
def analyst(client: Client, real_instruments: None) -> Client:
    client.force_login(make_user("ana", "analyst"))
    return client


def expected(**filters: Any) -> list[dict[str, Any]]:
    page = list(Instrument.objects.filter(**filters).order_by("isin"))
    rows = export.read_rows(page, export.DEFAULT, with_corrections=True)
    return [dict(zip(export.COLUMNS, row, strict=True)) for row in rows]


def content(client: Client, **parameters: str) -> bytes:
    response = client.get(EXPORT, parameters)
    assert response.status_code == 200, response.content
    assert response.headers["Content-Disposition"].startswith("attachment")
    return bytes(response.getvalue())


def test_csv_has_every_instrument(analyst: Client) -> None:
    rows = list(csv.DictReader(io.StringIO(content(analyst).decode(), newline="")))

    assert rows == [{k: "" if v is None else str(v) for k, v in row.items()} for row in expected()]
    assert len(rows) > 300


def test_ndjson_has_every_instrument_that_matches_a_filter(analyst: Client) -> None:
    lines = content(analyst, file="ndjson", category="D").decode().splitlines()

    assert [json.loads(line) for line in lines] == expected(cfi_code__startswith="D")


def test_parquet_has_every_instrument(analyst: Client) -> None:
    table = pq.read_table(io.BytesIO(content(analyst, file="parquet")))

    assert table.to_pylist() == expected()
    assert table.schema.field("listing_count").type == "int32"


def test_parquet_has_one_row_group_for_each_page(real_instruments: None) -> None:
    pages = export.read_pages(Instrument.objects.all(), size=100)

    parts = list(export_files.write_parquet(pages))

    file = pq.ParquetFile(io.BytesIO(b"".join(parts)))
    assert file.num_row_groups == len(parts) - 1 > 3
    assert file.read().to_pylist() == expected()


def test_an_export_without_a_match_is_a_file(analyst: Client) -> None:
    assert content(analyst, q="nonsense").decode().strip() == ",".join(export.COLUMNS)
    table = pq.read_table(io.BytesIO(content(analyst, q="nonsense", file="parquet")))
    assert (table.num_rows, tuple(table.column_names)) == (0, export.COLUMNS)


def test_only_one_page_is_read_at_a_time(
    real_instruments: None, django_assert_num_queries: Any
) -> None:
    """Three a page: instruments, venue operators, corrections."""
    pages = export.read_pages(Instrument.objects.all(), size=100)
    with django_assert_num_queries(3):
        assert len(next(pages)) == 100


def test_formulas_are_exported_as_published_or_made_safe(
    analyst: Client, make_zip: Write, tmp_path: Path
) -> None:
    names = ("=1+1", "+1", "-1", "@SUM(A1)", "A=1")
    isins = ("SE0000115446", "SE0000108656", "FI4000297767", "EZPN239DTWN8", "NL00150001S5")
    records = (
        firds.record("RefData", isin, "XSTO", name=name, period="2025-09-06")
        for isin, name in zip(isins, names, strict=True)
    )
    load(make_zip, "FULINS_E_20250906_01of01", *records)

    def exported(**parameters: str) -> dict[str, str]:
        text = content(analyst, isin=",".join(isins), **parameters).decode()
        return {row["isin"]: row["full_name"] for row in csv.DictReader(io.StringIO(text))}

    assert exported() == dict(zip(isins, names, strict=True))
    safe = ("'=1+1", "'+1", "'-1", "'@SUM(A1)", "A=1")
    assert exported(spreadsheet="SAFE") == dict(zip(isins, safe, strict=True))
    refused = analyst.get(EXPORT, {"file": "ndjson", "spreadsheet": "safe"})
    assert (refused.status_code, "spreadsheet" in refused.json()["errors"]) == (400, True)
    path = tmp_path / "safe.csv"
    call_command(
        "export",
        str(path),
        "--isin",
        ",".join(isins),
        "--spreadsheet",
        "safe",
        stdout=io.StringIO(),
    )
    assert path.read_text().count("'=1+1") == 2  # full and short name
    with pytest.raises(CommandError, match="for CSV files only"):
        call_command("export", str(tmp_path / "x.parquet"), "--spreadsheet", "safe")


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
        ("analyst", {"file": "ods"}, 400),
        ("analyst", {"rows": "venues"}, 400),
        ("analyst", {"fields": "isin,maturity"}, 400),
        ("analyst", {"rows": "listings", "fields": "listing_count"}, 400),
        ("analyst", {"after": "SE000011544"}, 400),
        ("analyst", {"nonsense": "1"}, 400),
        ("analyst", {"isin": "x"}, 400),
        ("analyst", {"file": "csv", "spreadsheet": "unsafe"}, 400),
    ],
)
def test_missing_permissions_and_wrong_parameters_are_refused(
    client: Client, role: str, parameters: dict[str, str], status: int
) -> None:
    client.force_login(make_user("user", role))

    assert client.get(EXPORT, parameters).status_code == status
    assert not Event.objects.filter(action="instruments.exported").exists()


@pytest.mark.usefixtures("anonymous_reading")
def test_anonymous_reading_does_not_permit_exports(client: Client) -> None:
    assert client.get(EXPORT).status_code == 401


def test_an_export_is_in_the_audit_trail(analyst: Client) -> None:
    content(analyst, category="e", file="NDJSON")

    event = Event.objects.get(action="instruments.exported")
    assert (event.actor, event.new) == ("ana", {"category": "e", "file": "NDJSON"})
    assert User.objects.get().username == "ana"


def test_the_command_writes_a_whole_file_or_none(real_instruments: None, tmp_path: Path) -> None:
    path = tmp_path / "debt.parquet"
    out = io.StringIO()

    call_command("export", str(path), "--category", "D", stdout=out)

    rows = expected(cfi_code__startswith="D")
    assert pq.read_table(path).to_pylist() == rows
    assert f"{len(rows):,} instruments" in out.getvalue()
    for bad, message in (("x.ods", "must end in"), ("none/x.csv", "there is no folder")):
        with pytest.raises(CommandError, match=message):
            call_command("export", str(tmp_path / bad))
    with pytest.raises(CommandError, match="--category"):
        call_command("export", str(tmp_path / "y.csv"), "--category", "X")
    assert sorted(p.name for p in tmp_path.glob("*.*")) == ["debt.parquet"]
