"""Derivatives that no venue trades any more, and their underlyings on the day of the question."""

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from instruments.list_check.answers import Question, answer_items
from instruments.list_check.items import make_item
from instruments.models import Venue
from tests import firds
from tests.instruments.listings.merging import VOLVO, Write, day, full, load
from tests.instruments.listings.test_reportability import with_dates

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading", "venues"),
]

OPTION = "NL00150001S5"
INTERNALISER = "MBCP"


@pytest.fixture
def venues(db: None) -> None:
    call_command("load_venues", stdout=io.StringIO())


def ask(client: Client, *, on: str) -> Any:
    return client.get(f"/api/v1/instruments/{OPTION}/reportable/", {"on": on}).json()


def _option(underlying: str, *, expiry: str) -> str:
    """An option that was traded from 3 to 5 March 2025."""
    derivative = (
        f"<DerivInstrmAttrbts><XpryDt>{expiry}</XpryDt><UndrlygInstrm>{underlying}</UndrlygInstrm>"
        "</DerivInstrmAttrbts>"
    )
    made = firds.record("RefData", OPTION, "XEUR", period=day(3), cfi="OCASPS", extra=derivative)
    return with_dates(made, first="2025-03-03", until="2025-03-05")


@pytest.mark.parametrize(
    "underlying",
    [
        f"<Sngl><ISIN>{VOLVO}</ISIN></Sngl>",
        f"<Bskt><ISIN>{OPTION}</ISIN><ISIN>{VOLVO}</ISIN></Bskt>",
    ],
)
def test_traded_underlyings_of_a_derivative_that_has_ended_early_are_named(
    underlying: str, make_zip: Write, client: Client
) -> None:
    """MiFIR, Article 26(2)(b) and (c): off venue, such a derivative is reportable while it exists."""
    option = _option(underlying, expiry="2025-03-20")
    share = firds.record("RefData", VOLVO, "XSTO", period=day(3))
    load(make_zip, full(3), option, with_dates(share, first="2014-01-14", until="2025-03-12"))

    def traded(on: str) -> Any:
        return ask(client, on=on)["traded_underlyings"]

    assert traded("2025-03-02") == []  # perhaps it did not exist yet
    assert traded("2025-03-05") == []  # it was reportable by its own listing
    assert traded("2025-03-12") == [VOLVO]
    assert traded("2025-03-13") == []  # the share was not traded any more
    answer = ask(client, on="2025-03-06")
    assert answer["reportable"] is False
    assert answer["reason"] == (
        "Not reportable on 2025-03-06: on no venue was it traded or requested for trading. If it still"
        " existed, a transaction in it was reportable off venue, because an underlying was traded:"
        f" {VOLVO} (MiFIR, Article 26(2)(b) and (c))."
    )


def test_a_check_of_a_list_names_traded_underlyings_as_the_instrument_does(
    make_zip: Write, client: Client
) -> None:
    option = _option(f"<Sngl><ISIN>{VOLVO}</ISIN></Sngl>", expiry="2025-03-20")
    share = firds.record("RefData", VOLVO, "XSTO", period=day(3))
    load(make_zip, full(3), option, with_dates(share, first="2014-01-14", until="2025-03-12"))
    days = ["2025-03-02", "2025-03-05", "2025-03-06", "2025-03-12", "2025-03-13", "2025-03-21"]
    items = [{"code": OPTION, "on": on} for on in days]

    read_queries = []
    for count in (1, len(items)):
        with CaptureQueriesContext(connection) as queries:
            list(answer_items((make_item(1, **item) for item in items[-count:]), Question()))
        read_queries.append(len(queries))
    assert read_queries[0] < read_queries[1] <= read_queries[0] + 4

    trades = [{"isin": OPTION, "on": on} for on in days]
    body = {"items": [*trades, {"isin": VOLVO, "on": "2025-03-06"}]}
    response = client.post("/api/v1/reportability/", body, content_type="application/json")

    *answers, of_the_share = response.json()["results"]
    assert [answer["traded_underlyings"] for answer in answers] == ["", "", VOLVO, VOLVO, "", ""]
    assert of_the_share["traded_underlyings"] == ""
    for on, answer in zip(days, answers, strict=True):
        assert (answer["reportable"], answer["reason"]) == (
            ask(client, on=on)["reportable"],
            ask(client, on=on)["reason"],
        )
    lines = "\n".join(f"{OPTION},,{on}" for on in days)
    page = client.post(
        "/check/", {"lines": lines, "register": "", "show": "by_underlyings"}
    ).content.decode()
    assert "<strong>2</strong> with traded underlyings" in page
    assert page.count(f"{OPTION}</a>") == 2


def test_an_expired_derivative_is_not_reportable_by_its_underlying(
    make_zip: Write, client: Client
) -> None:
    option = _option(f"<Sngl><ISIN>{VOLVO}</ISIN></Sngl>", expiry="2025-03-10")
    load(make_zip, full(3), option, firds.record("RefData", VOLVO, "XSTO", period=day(3)))

    assert ask(client, on="2025-03-10")["traded_underlyings"] == [VOLVO]
    assert ask(client, on="2025-03-11")["traded_underlyings"] == []


def test_an_underlying_on_a_systematic_internaliser_alone_is_on_no_trading_venue(
    make_zip: Write, client: Client
) -> None:
    option = _option(f"<Sngl><ISIN>{VOLVO}</ISIN></Sngl>", expiry="2025-03-20")
    load(make_zip, full(3), option, firds.record("RefData", VOLVO, INTERNALISER, period=day(3)))

    assert Venue.objects.get(pk=INTERNALISER).category == "SINT"
    assert ask(client, on="2025-03-10")["traded_underlyings"] == []
