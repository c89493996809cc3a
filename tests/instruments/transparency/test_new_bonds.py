"""New bonds: their liquidity applies from the first trade, beside the first quarterly result."""

from typing import Any

import pytest
from django.test import Client

from tests import firds, fitrs
from tests.instruments.listings.merging import VOLVO, Write

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]

NAME = "FULNCR_20240525_D_1of1"


def bond(liquid: str, *, begin: str = "2024-01-01", end: str = "2024-03-31") -> str:
    return fitrs.bond(VOLVO, begin=begin, end=end, more=f"<Lqdty>{liquid}</Lqdty>")


def new_bond(liquid: str) -> str:
    """A result without a reporting period."""
    quarter = fitrs.period("2024-01-01", "2024-03-31")
    record = bond(liquid)
    assert quarter in record
    return record.replace(quarter, "")


def load(make_zip: Write, *records: str) -> None:
    fitrs.load(make_zip(NAME, fitrs.message(NAME, *records, created="2024-05-25T03:00:00Z")))


def load_first_trade(make_zip: Write, day: str) -> None:
    name = "FULINS_D_20240525_01of01"
    listing = firds.record("RefData", VOLVO, "XSTO", period="2024-03-02", cfi="DBFTFB")
    listing = listing.replace("2014-01-14T09:00:00Z", f"{day}T09:00:00Z")
    fitrs.load(make_zip(name, firds.message(name, listing)))


def ask(client: Client, on: str) -> Any:
    answer = client.get(f"/api/v1/instruments/{VOLVO}/transparency/", {"on": on}).json()
    return answer["applies"]["liquidity"]


def test_without_reference_data_the_first_day_of_trading_is_not_known(
    client: Client, make_zip: Write
) -> None:
    load(make_zip, new_bond("false"))

    answer = ask(client, "2024-05-27")
    assert answer["result"] is None
    assert answer["why"] == (
        "The result with liquidity applies from the first day of trading, which is not known."
    )


def test_a_new_bond_applies_from_its_first_trade(client: Client, make_zip: Write) -> None:
    load(make_zip, new_bond("false"))
    load_first_trade(make_zip, "2024-03-04")

    rules = {day: ask(client, day)["rule"] for day in ("2024-03-03", "2024-03-04", "2024-08-18")}
    assert rules == {"2024-03-03": None, "2024-03-04": "bond_new", "2024-08-18": "bond_new"}
    assert ask(client, "2024-08-19")["result"] is None


def test_the_quarterly_result_answers_where_it_says_the_same(
    client: Client, make_zip: Write
) -> None:
    """From the third Monday of May to the Sunday before that of August both apply."""
    load(make_zip, new_bond("false"), bond("false"))
    load_first_trade(make_zip, "2024-03-04")

    assert ask(client, "2024-05-19")["rule"] == "bond_new"
    assert ask(client, "2024-05-20")["rule"] == "bond_quarter"
    assert ask(client, "2024-08-18")["rule"] == "bond_quarter"


def test_a_new_bond_and_a_quarter_that_differ_are_a_conflict(
    client: Client, make_zip: Write
) -> None:
    load(make_zip, new_bond("false"), bond("true"))
    load_first_trade(make_zip, "2024-03-04")

    answer = ask(client, "2024-05-20")
    assert answer["result"] is None
    assert answer["why"].startswith("2 published results apply on 2024-05-20 and contradict")
