"""Exports and searches of instruments have corrected terms; records are as published."""

import json
from decimal import Decimal

import pytest
from django.test import Client

from instruments.listings import export
from instruments.models import Instrument
from tests import firds
from tests.curation.test_proposals import correct
from tests.instruments.listings.merging import VOLVO, Write, day, full, load

ERICSSON, LAST = "SE0000108656", "SE0000112724"
COLUMNS = "isin,commodity_derivative,nominal_value_per_unit"

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("shares", "anonymous_reading"),
]


@pytest.fixture
def shares(make_zip: Write) -> None:
    """Three shares, in the order of their ISINs: Ericsson, another one, Volvo, which is on two venues."""
    records = [
        firds.record("RefData", isin, mic, period=day(1))
        for isin, mic in (
            *((ERICSSON, "AAAA"), (LAST, "AAAA")),
            *((VOLVO, "AAAA"), (VOLVO, "BBBB")),
        )
    ]
    load(make_zip, full(2), *records)


def read(rows: str, columns: str, *, with_corrections: bool = True) -> export.Rows:
    [page] = export.read_pages(
        Instrument.objects.all(), export.choose(rows, columns), with_corrections=with_corrections
    )
    return page


def test_exports_of_instruments_have_corrected_terms() -> None:
    correct(field="nominal_value_per_unit", value="1000.50")
    correct(field="commodity_derivative", value="true")
    correct(isin=ERICSSON, field="nominal_value_per_unit", value="5")
    correct(isin=LAST, field="full_name", value="Another name")

    ericsson, last, volvo = read("instruments", f"{COLUMNS},corrected")

    assert ericsson[:-1] == (ERICSSON, False, Decimal(5))
    assert last[:-1] == (LAST, False, None)
    assert volvo[:-1] == (VOLVO, True, Decimal("1000.50"))
    published = {"nominal_value_per_unit": None, "commodity_derivative": False}
    assert json.loads(volvo[-1]) == published
    assert json.loads(ericsson[-1]) == {"nominal_value_per_unit": None}
    assert list(json.loads(last[-1])) == ["full_name"]


def test_corrections_can_be_left_out_and_records_have_none() -> None:
    correct(field="nominal_value_per_unit", value="1000.50")

    volvo = read("instruments", f"{COLUMNS},corrected", with_corrections=False)[-1]

    assert volvo == (VOLVO, False, None, "")
    assert set(read("listings", COLUMNS)[-2:]) == {(VOLVO, False, None)}


def test_a_correction_of_another_venue_than_the_reference_listing_is_not_exported() -> None:
    mic = Instrument.objects.get(pk=VOLVO).mic
    correct(field="nominal_value_per_unit", value="7", mic="BBBB" if mic == "AAAA" else "AAAA")

    assert read("instruments", f"{COLUMNS},corrected")[-1] == (VOLVO, False, None, "")


def test_results_of_a_search_mark_corrected_values(client: Client) -> None:
    correct(field="nominal_value_per_unit", value="1000.50")

    page = client.get("/", {"category": "E", "column": "nominal_value_per_unit"}).content.decode()
    assert "1,000.5" in page
    assert page.count("#corrections") == 1
    mark = f'href="/instruments/{VOLVO}/#corrections">corrected: Nominal per unit</a>'
    assert mark in page
    other_columns = client.get("/", {"category": "E", "column": "full_name"}).content.decode()
    assert "#corrections" not in other_columns
