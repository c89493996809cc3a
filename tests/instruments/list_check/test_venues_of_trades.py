"""Venues of trades: an instrument is reportable wherever it is traded (MiFIR, Article 26(2))."""

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from tests import firds
from tests.instruments.listings.merging import VOLVO, Write, day, full, load
from tests.instruments.listings.test_reportability import with_dates

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("listed", "anonymous_reading"),
]

DAY = "2025-03-10"


@pytest.fixture
def listed(make_zip: Write) -> None:
    """Volvo is traded in Stockholm; in Paris until 6 March, on Xetra's segment from 20 March."""
    call_command("load_venues", stdout=io.StringIO())
    stockholm, paris, xetra = (
        firds.record("RefData", VOLVO, mic, period=day(1)) for mic in ("XSTO", "XPAR", "XETA")
    )
    load(
        make_zip,
        full(2),
        stockholm,
        with_dates(paris, first="2014-01-14", until="2025-03-06"),
        with_dates(xetra, first="2025-03-20"),
    )


def ask(client: Client, mic: str, on: str = DAY) -> Any:
    body = {"items": [{"isin": VOLVO, "mic": mic, "on": on}]}
    response = client.post("/api/v1/reportability/", body, content_type="application/json")
    [answer] = response.json()["results"]
    assert answer["mic"] == (mic or None)
    return answer


@pytest.mark.parametrize(
    ("mic", "there", "more"),
    [
        ("", None, ""),
        ("XOFF", None, ""),
        ("SINT", None, ""),
        ("XXXX", None, ""),
        ("XSTO", True, ""),
        ("XPAR", False, " Not on XPAR: first traded 2014-01-14, terminated 2025-03-06."),
        ("XETA", False, " Not on XETA: first traded later, on 2025-03-20."),
        ("XETR", False, " Not on XETR: first traded later, on 2025-03-20."),
        ("XNYS", False, " It has no listing on XNYS."),
    ],
)
def test_a_trade_anywhere_is_reportable_while_a_venue_trades_the_instrument(
    mic: str, there: bool | None, more: str, client: Client
) -> None:
    answer = ask(client, mic)

    assert (answer["reportable"], answer["reportable_there"]) == (True, there)
    assert answer["venues"] == "XSTO"
    assert answer["reason"] == f"Reportable on {DAY}: XSTO.{more}"


@pytest.mark.parametrize(("mic", "there"), [("XOFF", None), ("XSTO", False), ("XNYS", False)])
def test_before_the_first_trade_no_trade_is_reportable(
    mic: str, there: bool | None, client: Client
) -> None:
    answer = ask(client, mic, on="2014-01-13")

    assert (answer["reportable"], answer["reportable_there"]) == (False, there)
    assert answer["venues"] == ""
    assert answer["reason"].startswith("Not reportable on 2014-01-13: on no venue was it traded")
    if mic == "XNYS":
        assert "It has no listing on XNYS; it has on XETA, XPAR, XSTO." in answer["reason"]
