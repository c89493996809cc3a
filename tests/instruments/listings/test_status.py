"""Published and effective status, side by side, in lists, filters, details and exports."""

import datetime as dt
import io
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from stdnum.isin import calc_check_digit

from instruments.listings.load.instruments import rederiving
from instruments.listings.search import MANY
from instruments.listings.status import (
    EffectiveStatus,
    filter_by_effective_status,
    get_effective_status,
    get_effective_status_of_all,
    get_effective_status_of_row,
)
from instruments.models import Instrument, Listing
from instruments.staging.dialect import translating_cursor
from tests import firds
from tests.instruments.listings.merging import DSB, VOLVO, Write, day, delta, full, load

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]

ERICSSON, NORDEA = "SE0000108656", "FI4000297767"
LIST = "/api/v1/instruments/"
PAST, FUTURE = "2025-03-05", "2999-06-30"


def debt(date: str) -> str:
    return f"<DebtInstrmAttrbts><MtrtyDt>{date}</MtrtyDt></DebtInstrmAttrbts>"


def derivative(date: str) -> str:
    return f"<DerivInstrmAttrbts><XpryDt>{date}</XpryDt></DerivInstrmAttrbts>"


def terminating(record: str, date: str) -> str:
    end = "</TradgVnRltdAttrbts>"
    return record.replace(end, f"<TermntnDt>{date}T00:00:00Z</TermntnDt>{end}")


def get(client: Client, path: str = "", **parameters: Any) -> Any:
    response = client.get(f"{LIST}{path}", parameters)
    assert response.status_code == 200, response.content
    return response.json()


def listing(**values: Any) -> Listing:
    return Listing(**{"status": "active", **values})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "active"),
        ({"terminated_at": dt.datetime(2025, 3, 4, 23, tzinfo=dt.UTC)}, "terminated"),
        ({"terminated_at": dt.datetime(2025, 3, 5, 0, tzinfo=dt.UTC)}, "active"),
        ({"expiry_date": dt.date(2025, 3, 4)}, "expired"),
        ({"expiry_date": dt.date(2025, 3, 5)}, "active"),
        ({"expiry_date": dt.date(9999, 12, 31)}, "active"),
        ({"maturity_date": dt.date(2025, 3, 4)}, "matured"),
        ({"maturity_date": dt.date(1858, 11, 17)}, "active"),  # a placeholder
        ({"terminated_at": dt.datetime(1858, 11, 17, tzinfo=dt.UTC)}, "active"),
        ({"status": "dropped", "maturity_date": dt.date(2020, 1, 1)}, "dropped"),
        ({"status": "cancelled"}, "cancelled"),
        ({"status": "terminated"}, "terminated"),
    ],
)
def test_dates_that_have_passed_end_an_active_listing(
    values: dict[str, Any], expected: str
) -> None:
    assert get_effective_status(listing(**values), dt.date(2025, 3, 5)) == expected


@pytest.mark.parametrize("column", ["terminated_at", "expiry_date", "maturity_date"])
@pytest.mark.parametrize("year", [2999, 3999, 9999])
def test_placeholders_end_nothing_on_the_last_day_of_the_calendar(column: str, year: int) -> None:
    last_day = dt.datetime(year, 12, 31, tzinfo=dt.UTC)
    value = last_day if column == "terminated_at" else last_day.date()

    assert get_effective_status(listing(**{column: value}), dt.date.max) == "active"


def test_an_instrument_is_active_while_one_listing_is() -> None:
    day_ = dt.date(2025, 3, 5)
    ended = listing(terminated_at=dt.datetime(2025, 1, 1, tzinfo=dt.UTC))

    assert get_effective_status_of_all([ended, listing()], ended, day_) == "active"
    assert get_effective_status_of_all([ended], ended, day_) == "terminated"


@pytest.fixture
def four(make_zip: Write) -> None:
    """A matured bond, an expired option, a share with one terminated listing of two, and another."""
    load(
        make_zip,
        full(2),
        firds.record("RefData", VOLVO, "XSTO", period=day(1), cfi="DBFTFB", extra=debt(PAST)),
        firds.record("RefData", DSB, "XSTO", period=day(1), cfi="OCASPS", extra=derivative(PAST)),
        terminating(firds.record("RefData", ERICSSON, "XPAR", period=day(1)), PAST),
        firds.record("RefData", ERICSSON, "XSTO", period=day(1)),
        terminating(firds.record("RefData", NORDEA, "XSTO", period=day(1)), PAST),
    )


@pytest.mark.usefixtures("four")
def test_lists_show_both_and_filter_by_either(client: Client) -> None:
    rows = get(client)["results"]

    shown = {row["isin"]: (row["status"], row["effective_status"]) for row in rows}
    assert shown == {
        VOLVO: ("active", "matured"),
        DSB: ("active", "expired"),
        ERICSSON: ("active", "active"),
        NORDEA: ("active", "terminated"),
    }
    for isin, (_, effective) in shown.items():
        found = get(client, effective_status=effective.upper())["results"]
        assert [row["isin"] for row in found] == [isin]
        walked = get(client, effective_status=effective, cursor="")["results"]
        assert [row["isin"] for row in walked] == [isin]
    assert len(get(client, status="Active")["results"]) == 4
    assert get(client, effective_status="dropped")["results"] == []
    refused = client.get(LIST, {"effective_status": "dead"})
    assert refused.status_code == 400
    assert "active, expired, matured, terminated, dropped, cancelled" in refused.json()["detail"]


@pytest.mark.usefixtures("four")
def test_details_pages_commands_and_searches_show_both(client: Client) -> None:
    detail = get(client, f"{VOLVO}/")
    assert (detail["status"], detail["effective_status"]) == ("active", "matured")
    [row] = detail["listings"]
    assert (row["status"], row["effective_status"]) == ("active", "matured")
    before = get(client, f"{VOLVO}/", as_of=PAST)
    assert (before["status"], before["effective_status"]) == ("active", "active")
    page = client.get(f"/instruments/{VOLVO}/").content.decode()
    assert 'class="status matured"' in page
    assert "Published status: Active" in page
    assert b'class="status expired"' in client.get("/", {"q": "a name"}).content
    out = io.StringIO()
    call_command(
        "instruments", "list", "--effective_status", "expired", "--format", "json", stdout=out
    )
    assert [row["isin"] for row in json.loads(out.getvalue())] == [DSB]


def test_a_listing_dropped_later_was_active_on_an_earlier_day(
    make_zip: Write, client: Client
) -> None:
    load(
        make_zip,
        full(2),
        *(firds.record("RefData", VOLVO, m, period=day(1)) for m in ("A1A1", "B1B1")),
    )
    load(make_zip, full(9), firds.record("RefData", VOLVO, "A1A1", period=day(1)))
    now = {row["mic"]: row["status"] for row in get(client, f"{VOLVO}/")["listings"]}
    assert now == {"A1A1": "active", "B1B1": "dropped"}

    then = get(client, f"{VOLVO}/", as_of="2025-03-05")["listings"]

    shown = [(row["mic"], row["status"], row["dropped_by"]) for row in then]
    assert shown == [("A1A1", "active", None), ("B1B1", "active", None)]


def test_a_listing_terminated_later_was_active_on_an_earlier_day(
    make_zip: Write, client: Client
) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", period=day(1)))
    ended = firds.record("TermntdRcrd", VOLVO, "XSTO", period=day(1), until=day(8))
    load(make_zip, delta(9), ended)

    then = get(client, f"{VOLVO}/", as_of="2025-03-05")

    assert (then["status"], then["basis"]) == ("active", "valid_on_day")
    assert get(client, f"{VOLVO}/")["status"] == "terminated"


DAY = dt.date(2025, 6, 1)
ENDS = ("", "2025-05-31", "2025-06-01")  # none, the day before, and the day itself
DAYS = [DAY + dt.timedelta(days=days) for days in (-2, -1, 0, 1, 2, 400)]


def made_isins() -> Iterator[str]:
    for number in itertools.count(1):
        body = f"XS{number:09}"
        yield body + calc_check_digit(body)


@pytest.mark.slow
def test_the_filters_and_the_rows_agree(make_zip: Write) -> None:
    """For all combinations of termination, expiry and maturity on up to two listings."""
    records, ended = [], []
    isins = made_isins()
    dates = [
        ("", debt("1858-11-17")),
        ("1858-11-17", debt("9999-12-31")),
        *((e, t(d)) for e in ENDS for t in (debt, derivative) for d in ENDS if d),
        *((e, debt(d) + derivative(x)) for e in ENDS for d in ENDS if d for x in ENDS if x),
    ]
    for (until, terms), other in itertools.product(dates, ("", *ENDS)):
        isin = next(isins)
        record = firds.record("RefData", isin, "A1A1", period=day(1), extra=terms)
        records.append(terminating(record, until) if until else record)
        if other:
            second = firds.record("RefData", isin, "B1B1", period=day(1), extra=terms)
            records.append(terminating(second, other))
    for tag in ("TermntdRcrd", "NewRcrd"):
        isin = next(isins)
        ended.append(firds.record(tag, isin, "A1A1", period=day(3), extra=debt("2025-05-31")))
    load(make_zip, full(2), *records)
    load(make_zip, delta(3), *ended)
    instruments = list(Instrument.objects.all())
    assert {get_effective_status_of_row(instrument, DAY) for instrument in instruments} == {
        *("active", "expired", "matured", "terminated")
    }

    check_statuses(instruments)
    check_statuses(instruments, many=1)
    keys = [instrument.isin for instrument in instruments]
    with transaction.atomic(), translating_cursor(connection.cursor()) as cursor:
        Instrument.objects.update(ended_as=None, active_until=None, terminates_after=DAY)
        with rederiving(cursor, keys):
            pass
    check_statuses(instruments)


def check_statuses(instruments: list[Instrument], *, many: int = MANY) -> None:
    """Compare the rows and all filters with the listings, on several days."""
    rows = list(Instrument.objects.filter(pk__in=[instrument.isin for instrument in instruments]))
    for day_ in DAYS:
        statuses = {row.isin: get_effective_status_of_row(row, day_) for row in rows}
        for instrument in instruments:
            assert statuses[instrument.isin] == get_effective_status_of_all(
                instrument.listings, instrument.authoritative, day_
            )
        for status in EffectiveStatus:
            matching = filter_by_effective_status(Instrument.objects.all(), status, day_, many=many)
            expected_isins = {isin for isin, effective in statuses.items() if effective == status}
            assert set(matching.values_list("pk", flat=True)) == expected_isins, (status, day_)
            of_category = matching.of_category("E")
            assert set(of_category.values_list("pk", flat=True)) == expected_isins
