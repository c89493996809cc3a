"""Pages of the history of an instrument, and the timeline on its page, on made records with real names."""

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from instruments.listings.history_page import get_key
from instruments.listings.timeline_chart import get_trading_period
from instruments.models import Listing, ListingVersion
from tests import firds
from tests.instruments.listings.merging import VOLVO, day, delta, full, load

Write = Callable[..., Path]
ADDRESS = f"/instruments/{VOLVO}"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]


@pytest.fixture
def volvo(make_zip: Write) -> None:
    """A listing of 1 March, renamed on the 5th, ended on the 20th, and another one."""
    other = firds.record("RefData", VOLVO, "XHEL", name="One <b>", period=day(1))
    load(
        make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)), other
    )
    load(make_zip, delta(5), firds.record("ModfdRcrd", VOLVO, "XSTO", name="Two", period=day(5)))
    ended = firds.record("TermntdRcrd", VOLVO, "XSTO", name="Two", period=day(5), until=day(19))
    load(make_zip, delta(20), ended)


@pytest.mark.usefixtures("volvo")
def test_the_history_shows_every_record_with_its_changes(client: Client) -> None:
    page = client.get(f"{ADDRESS}/history/").content.decode()

    assert "4 records of 2 listings" in page
    assert "<strong>Full name</strong>: <del>One</del> → <ins>Two</ins>" in page
    assert page.count("First record known") == 2
    assert page.count('<rect class="bar') == 4
    assert "One <b>" not in page


@pytest.mark.usefixtures("volvo")
def test_any_two_records_can_be_compared(client: Client) -> None:
    first = ListingVersion.objects.get(full_name="One", mic="XSTO")
    other = Listing.objects.get(mic="XHEL")
    asked = {"first": get_key(first), "second": get_key(other)}

    differing = client.get(f"{ADDRESS}/compare/", asked).content.decode()
    complete = client.get(f"{ADDRESS}/compare/", {**asked, "all": "on"}).content.decode()

    assert "<del>XSTO</del>" in differing
    assert "<ins>One &lt;b&gt;</ins>" in differing
    assert "Notional currency" not in differing
    assert "Notional currency" in complete
    assert differing.count("selected>XSTO, ESMA, from 2025-03-01") == 1


@pytest.mark.usefixtures("volvo")
def test_without_a_choice_the_last_two_records_of_the_reference_listing_are_compared(
    client: Client,
) -> None:
    page = client.get(f"{ADDRESS}/compare/").content.decode()
    unknown = client.get(f"{ADDRESS}/compare/", {"first": "\0", "second": "1-1-1"})

    assert unknown.status_code == 404
    assert re.search(r"<h2>\d+ fields? differs?</h2>|The two records have the same", page)


def test_a_listing_with_one_record_is_compared_with_another_listing(
    client: Client, make_zip: Write
) -> None:
    records = [firds.record("RefData", VOLVO, mic, period=day(1)) for mic in ("XHEL", "XSTO")]
    load(make_zip, full(2), *records)

    page = client.get(f"{ADDRESS}/compare/").content.decode()

    chosen = re.findall(r"selected>(\w{4}), ESMA", page)
    assert sorted(chosen) == ["XHEL", "XSTO"]


@pytest.mark.parametrize("name", ["history", "compare", "transparency"])
def test_unknown_instruments_are_not_found(client: Client, name: str) -> None:
    assert client.get(f"{ADDRESS}/{name}/").status_code == 404
    assert client.get(f"/instruments/x/{name}/").status_code == 404


@pytest.mark.usefixtures("volvo")
def test_the_page_draws_the_trading_periods(client: Client) -> None:
    page = client.get(f"{ADDRESS}/").content.decode()

    assert page.count('<rect class="bar') == 2
    assert re.search(r"<title>XHEL, ESMA: since 2014-01-14 \(active\)</title>", page)
    assert re.search(r"<title>XSTO, ESMA: 2014-01-14 to 2025-03-19 \(terminated\)</title>", page)


def test_a_cancelled_listing_has_no_trading_period(make_zip: Write) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "XSTO", name="One", period=day(1)))
    load(make_zip, delta(5), firds.record("CancRcrd", VOLVO, "XSTO", name="One", period=day(5)))

    assert get_trading_period(Listing.objects.get()) is None


def test_a_trading_period_ends_with_the_first_of_its_dates() -> None:
    listing = Listing(
        mic="XSTO",
        status="active",
        valid_from=dt.date(2025, 3, 1),
        maturity_date=dt.date(2030, 1, 1),
        expiry_date=dt.date(9999, 12, 31),
        first_trade_at=dt.datetime(1858, 11, 17, tzinfo=dt.UTC),
        terminated_at=dt.datetime(9999, 12, 31, tzinfo=dt.UTC),
    )
    open_ended = get_trading_period(listing)
    listing.terminated_at = dt.datetime(2026, 5, 1, 17, tzinfo=dt.UTC)
    terminated = get_trading_period(listing)

    assert str(open_ended) == "2025-03-01 to 2030-01-01"
    assert str(terminated) == "2025-03-01 to 2026-05-01"


@pytest.mark.usefixtures("volvo")
def test_pages_of_an_instrument_take_a_fixed_number_of_queries(
    client: Client, make_zip: Write
) -> None:
    def count(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"{ADDRESS}/{path}").status_code == 200
        return len(queries)

    paths = ("", "history/", "compare/")
    numbers = [count(path) for path in paths]
    more = [
        firds.record("NewRcrd", VOLVO, mic, name="Two", period=day(21))
        for mic in ("XFRA", "XSTU", "XBER", "XPAR")
    ]
    load(make_zip, delta(22), *more)

    assert [count(path) for path in paths] == numbers
    assert numbers[0] <= 25
    assert max(numbers[1:]) <= 5
