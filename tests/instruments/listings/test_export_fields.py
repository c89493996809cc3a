"""Exports with fields by choice, of instruments, listings and all records, in each format."""

import csv
import datetime as dt
import io
import json
import re
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client
from lxml import etree

from curation import proposals
from curation.proposals import Proposal
from instruments.listings import export, export_files, workbook
from instruments.listings.descriptions import describe_record
from instruments.models import Instrument, Listing, ListingVersion
from marketdata.common.plain import to_plain
from tests import firds, golden_copy
from tests.accounts.clients import make_user
from tests.instruments.listings.merging import VOLVO, Write, day, full, load

pytestmark = pytest.mark.django_db(transaction=True)

EXPORT = "/api/v1/instruments/export/"
DOCUMENT = Path(__file__).parents[3] / "docs" / "exports.md"
BOND = "DE000A1R07V3"
BOND_FIELDS = "isin,maturity_date,fixed_rate,total_issued_nominal,first_trade_at,source_file"


@pytest.fixture
def analyst(client: Client, real_instruments: None) -> Client:
    client.force_login(make_user("ana", "analyst"))
    return client


def content(client: Client, **parameters: str) -> bytes:
    response = client.get(EXPORT, parameters)
    assert response.status_code == 200, response.content
    return bytes(response.getvalue())


def ndjson(client: Client, **parameters: str) -> list[dict[str, Any]]:
    lines = content(client, file="ndjson", **parameters).decode().splitlines()
    return [json.loads(line) for line in lines]


def test_instruments_have_the_fields_of_their_reference_listing(analyst: Client) -> None:
    rows = ndjson(analyst, category="D", fields=BOND_FIELDS)

    assert len(rows) > 50
    assert any(row["maturity_date"] and row["fixed_rate"] for row in rows)
    for row, instrument in zip(
        rows, Instrument.objects.filter(cfi_code__startswith="D"), strict=True
    ):
        record = describe_record(instrument.authoritative)
        assert row == {name: record[name] for name in BOND_FIELDS.split(",")}


def test_instruments_have_the_name_and_country_of_their_issuer(
    analyst: Client, tmp_path: Path
) -> None:
    lei = Instrument.objects.get(pk=BOND).issuer_lei
    address = "<lei:LegalAddress><lei:Country>DE</lei:Country></lei:LegalAddress>"
    record = golden_copy.record(
        lei, "Kreditanstalt", updated="2023-06-01T08:00:00Z", entity=address
    )
    xml = golden_copy.message(record, content="DELTA")
    path = golden_copy.put(tmp_path, golden_copy.name("20230601", "last-day"), xml)
    golden_copy.load(path)
    proposal = Proposal(lei=lei, field="legal_name", value="KfW", reason="Shortened")
    proposals.approve(proposals.propose(proposal, by="ann"), by="carl")
    fields = "isin,issuer_lei,issuer_name,issuer_country"

    served, published = (
        {row["isin"]: row for row in ndjson(analyst, fields=fields, corrections=corrections)}
        for corrections in ("on", "off")
    )

    assert served[BOND] == {
        "isin": BOND,
        "issuer_lei": lei,
        "issuer_name": "KfW",
        "issuer_country": "DE",
    }
    assert published[BOND]["issuer_name"] == "Kreditanstalt"
    others = [row for row in served.values() if row["issuer_lei"] != lei]
    assert {(row["issuer_name"], row["issuer_country"]) for row in others} == {(None, None)}


def test_each_listing_has_a_row_with_every_field(analyst: Client) -> None:
    listings = Listing.objects.select_related("source_file", "dropped_by")

    rows = ndjson(analyst, rows="listings")

    assert rows == [describe_record(listing) for listing in listings]
    assert len(rows) > 300


@pytest.mark.slow
@pytest.mark.parametrize("rows", list(export.FIELDS))
def test_formats_agree_on_every_field(analyst: Client, rows: str) -> None:
    expected = ndjson(analyst, rows=rows, fields="ALL")
    names = list(export.FIELDS[rows])
    assert list(expected[0]) == names

    text = content(analyst, rows=rows, fields="all").decode()
    as_text = {None: "", True: "true", False: "false"}
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == [
        {
            name: as_text[value] if value is None or isinstance(value, bool) else str(value)
            for name, value in row.items()
        }
        for row in expected
    ]
    table = pq.read_table(io.BytesIO(content(analyst, rows=rows, fields="all", file="parquet")))
    assert table.schema.remove_metadata() == export.Layout(rows, tuple(names)).schema
    for name in names:
        plain = [_normalize(to_plain(value)) for value in table[name].to_pylist()]
        assert plain == [_normalize(row[name]) for row in expected], name


def _normalize(value: Any) -> Any:
    """Return numbers in texts without the zeros that Parquet adds: 1.50 and 1.5 are one number."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+\.[0-9]+", value):
        return format(Decimal(value).normalize(), "f")
    return value


def test_decimals_are_exact_in_parquet(real_instruments: None) -> None:
    layout = export.choose(
        "listings", "isin,mic,register,price_multiplier,fixed_rate,strike_amount"
    )
    parts = export_files.write_parquet(export.read_pages(Instrument.objects.all(), layout), layout)

    rows = pq.read_table(io.BytesIO(b"".join(parts))).to_pylist()

    assert len(rows) == Listing.objects.count()
    for row, listing in zip(rows, Listing.objects.all(), strict=True):
        assert row == {name: getattr(listing, name) for name in layout.columns}


def test_versions_are_all_records_in_the_order_of_their_validity(
    client: Client, make_zip: Write
) -> None:
    client.force_login(make_user("ana", "analyst"))
    for number, name in ((2, "First"), (9, "Second"), (16, "Third")):
        load(
            make_zip,
            full(number),
            firds.record("RefData", VOLVO, "XSTO", name=name, period=day(number)),
        )
    assert ListingVersion.objects.count() == 2

    rows = ndjson(client, rows="versions", fields="valid_to,full_name,valid_from,isin")

    assert [(row["full_name"], row["valid_from"], row["valid_to"]) for row in rows] == [
        ("First", day(2), day(8)),
        ("Second", day(9), day(15)),
        ("Third", day(16), None),
    ]
    assert list(rows[0]) == ["valid_to", "full_name", "valid_from", "isin"]


def read_sheet(content: bytes) -> list[tuple[Any, ...]]:
    """Return the cells of a workbook, as a program for spreadsheets has them."""
    workbook = openpyxl.load_workbook(io.BytesIO(content))
    [sheet] = workbook.worksheets
    return list(sheet.iter_rows())


def test_a_workbook_has_days_numbers_and_texts(analyst: Client) -> None:
    fields = "isin,full_name,listing_count,fixed_rate,issuer_requested,maturity_date,first_trade_at"
    expected = ndjson(analyst, category="D", fields=fields)

    lines = read_sheet(content(analyst, category="D", fields=fields, file="xlsx"))

    def to_cell(name: str, value: Any) -> Any:
        if value and name == "fixed_rate":
            return float(value)
        # A day of a workbook has no form of its own: it is a time at midnight.
        is_time = name in ("maturity_date", "first_trade_at")
        return dt.datetime.fromisoformat(value.rstrip("Z")) if value and is_time else value or None

    assert [cell.value for cell in lines[0]] == fields.split(",")
    assert [[cell.value or None for cell in line] for line in lines[1:]] == [
        [to_cell(name, value) or None for name, value in row.items()] for row in expected
    ]
    forms = {str(cell.number_format) for line in lines[1:] for cell in line}
    assert {"General", "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"} < forms


def test_cells_that_a_spreadsheet_program_cannot_hold_are_texts() -> None:
    layout = export.Layout(columns=("fixed_rate", "maturity_date", "first_trade_at"))
    time = dt.datetime(2026, 7, 18, 1, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    rows: list[tuple[Any, ...]] = [
        (Decimal("1.500"), dt.date(9999, 12, 31), time),
        (Decimal("12345678901234.5"), dt.date(1901, 1, 1), None),
        (Decimal("1234567890123456.7"), dt.date(1900, 2, 28), time.replace(year=1899)),
        (Decimal(7), None, None),
    ]

    lines = read_sheet(b"".join(workbook.write_xlsx(iter([rows]), layout)))[1:]

    assert [line[0].value for line in lines] == [1.5, 12345678901234.5, "1234567890123456.7", 7]
    assert [line[0].number_format for line in lines] == ["0.000", "0.0", "General", "0"]
    days = ["9999-12-31 00:00:00", "1901-01-01 00:00:00", "1900-02-28", "None"]
    assert [str(line[1].value) for line in lines] == days
    assert [line[1].data_type for line in lines] == ["d", "d", "s", "n"]
    assert str(lines[0][2].value) == "2026-07-17 23:30:00"
    assert str(lines[2][2].value).startswith("1899-07-1")


def test_names_that_look_like_formulas_are_texts_in_a_workbook(tmp_path: Path) -> None:
    layout = export.Layout(columns=("full_name",))
    names = ("=1+1", "http://example.org", "12", "{=A1}")
    parts = workbook.write_xlsx(iter([[(name,) for name in names]]), layout)

    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        sheet = etree.fromstring(archive.read("xl/worksheets/sheet1.xml"))

    cells = sheet.findall(".//{*}c")
    assert [cell.get("t") for cell in cells] == ["inlineStr"] * 5
    assert ["".join(map(str, cell.itertext())) for cell in cells[1:]] == list(names)
    assert sheet.find(".//{*}f") is None


def test_an_export_continues_after_an_isin(analyst: Client) -> None:
    rows = ndjson(analyst, rows="listings", fields="isin,mic")
    middle = rows[len(rows) // 2]["isin"]

    following = ndjson(analyst, rows="listings", fields="isin,mic", after=middle.lower())

    assert following == [row for row in rows if row["isin"] > middle]
    assert following


def test_unknown_fields_are_refused_with_a_suggestion(analyst: Client) -> None:
    response = analyst.get(EXPORT, {"fields": "isin,maturity_dat"})

    assert response.status_code == 400
    message = response.json()["errors"]["fields"][0]
    assert "instruments have no field 'maturity_dat'. Did you mean 'maturity_date'?" in message


def test_the_limit_counts_the_rows_that_are_exported(
    analyst: Client, settings: LazySettings
) -> None:
    listings, instruments = Listing.objects.count(), Instrument.objects.count()
    assert listings > instruments
    settings.EXPORT_MAX_ROWS = instruments

    assert len(ndjson(analyst)) == instruments
    refused = analyst.get(EXPORT, {"rows": "listings"})
    assert refused.status_code == 403
    assert "listings match" in refused.json()["detail"]
    settings.EXPORT_MAX_ROWS = listings
    assert len(ndjson(analyst, rows="listings")) == listings
    settings.EXPORT_MAX_ROWS = listings + ListingVersion.objects.count() - 1
    refused = analyst.get(EXPORT, {"rows": "versions"})
    assert refused.status_code == 403


def test_a_sheet_refuses_more_rows_than_it_can_have(
    analyst: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(workbook, "XLSX_MAX_ROWS", 5)

    refused = analyst.get(EXPORT, {"file": "xlsx"})

    assert refused.status_code == 400
    assert "Choose another format" in refused.json()["errors"]["file"][0]
    with pytest.raises(CommandError, match="Choose another format"):
        call_command("export", str(tmp_path / "all.xlsx"), stdout=io.StringIO())
    assert not list(tmp_path.glob("all*"))


def test_the_command_has_the_same_choices(real_instruments: None, tmp_path: Path) -> None:
    path, out = tmp_path / "listings.csv", io.StringIO()

    call_command("export", str(path), "--rows", "listings", "--fields", "mic,isin", stdout=out)

    rows = list(csv.reader(io.StringIO(path.read_text())))
    assert rows[0] == ["mic", "isin"]
    assert len(rows) == Listing.objects.count() + 1
    assert "listings, " in out.getvalue()
    with pytest.raises(CommandError, match="--fields: listings have no field 'x'"):
        call_command("export", str(path), "--rows", "listings", "--fields", "x")


def test_the_documentation_lists_every_field_with_its_type() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.+?) \| (\w*) ?\| (\w*) ?\| (\w*) ?\|$",
        DOCUMENT.read_text(),
        re.MULTILINE,
    )

    names = dict.fromkeys(name for fields in export.FIELDS.values() for name in fields)
    assert rows == [
        (
            name,
            str(export.get_type(name)),
            "default" if name in export.COLUMNS else "yes" * (name in export.FIELDS["instruments"]),
            "yes" * (name in export.FIELDS["listings"]),
            "yes" * (name in export.FIELDS["versions"]),
        )
        for name in names
    ]
