"""Look-ups by list: each ISIN has its own outcome."""

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from instruments.listings.lookup import resolve_isin
from instruments.models import Instrument
from marketdata.common.errors import InvalidQuery

LIST = "/api/v1/instruments/"
BOND, FUND = "DE000A1R07V3", "HK0405033157"
UNKNOWN, WRONG = "SE0000115446", "SE0000115447"
pytestmark = pytest.mark.usefixtures("real_instruments", "anonymous_reading")


def outcomes(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(item["isin"], item["status"]) for item in items]


def test_a_list_of_isins_has_an_outcome_for_each(client: Client) -> None:
    asked = f"{BOND.lower()},{WRONG},{UNKNOWN},volvo,{FUND}"

    answer = client.get(LIST, {"isin": asked, "category": "D"}).json()

    assert [row["isin"] for row in answer["results"]] == [BOND]
    assert outcomes(answer["lookup"]) == [
        (BOND, "found"),
        (WRONG, "invalid"),
        (UNKNOWN, "unknown"),
        ("VOLVO", "invalid"),
        (FUND, "excluded"),
    ]
    reasons = [item["reason"] for item in answer["lookup"]]
    assert reasons[0] is None
    assert "the check digit is 7, and should be 6" in reasons[1]
    repeated = client.get(LIST, {"isin": [BOND, WRONG]}).json()
    assert outcomes(repeated["lookup"]) == [(BOND, "found"), (WRONG, "invalid")]
    assert "lookup" not in client.get(LIST).json()


def test_a_single_wrong_isin_is_an_error(client: Client) -> None:
    assert client.get(LIST, {"isin": WRONG}).status_code == 400
    unknown = client.get(LIST, {"isin": UNKNOWN}).json()
    assert (unknown["results"], outcomes(unknown["lookup"])) == ([], [(UNKNOWN, "unknown")])


def test_a_posted_list_comes_back_in_the_same_order_and_length(client: Client) -> None:
    asked = [FUND, WRONG, BOND, UNKNOWN, "", FUND.lower()]

    response = client.post(f"{LIST}lookup/", {"isins": asked}, content_type="application/json")

    assert response.status_code == 200, response.content
    results = response.json()["results"]
    statuses = ["found", "invalid", "found", "unknown", "invalid", "found"]
    assert [item["status"] for item in results] == statuses
    assert [item["isin"] for item in results] == [isin.upper() for isin in asked]
    row = client.get(LIST, {"isin": BOND}).json()["results"][0]
    assert results[2]["instrument"] == row
    assert results[1]["instrument"] is None


def test_an_item_that_is_no_code_has_its_own_outcome(client: Client) -> None:
    asked = [BOND, None, 7, {"isin": BOND}, "A" * 200]

    response = client.post(f"{LIST}lookup/", {"isins": asked}, content_type="application/json")

    results = response.json()["results"]
    assert [item["status"] for item in results] == ["found", *["invalid"] * 4]
    assert [item["isin"] for item in results[1:4]] == ["NULL", "7", f'{{"ISIN": "{BOND}"}}']
    assert (
        results[4]["reason"]
        == "Not an ISIN: an ISIN has 12 characters, this has 200. No instrument has it as its ticker."
    )


@pytest.mark.parametrize(
    "body", [{}, {"isins": []}, {"isins": ["x"] * 1001}, {"isins": "x"}, {"isin": ["x"]}]
)
def test_a_body_without_a_list_is_refused(client: Client, body: Any) -> None:
    response = client.post(f"{LIST}lookup/", body, content_type="application/json")

    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"


def test_too_many_isins_are_refused(client: Client) -> None:
    many = ",".join(f"XS{number:010}" for number in range(1001))

    assert "At most 1,000" in client.get(LIST, {"isin": many}).json()["detail"]


def test_a_thousand_isins_take_a_fixed_number_of_queries(
    client: Client, django_assert_num_queries: Any
) -> None:
    isins = list(Instrument.objects.filter(status="active").values_list("pk", flat=True))
    for asked in (isins[:1], [*isins, *(f"XS{number:010}" for number in range(1000 - len(isins)))]):
        with django_assert_num_queries(4):
            client.post(f"{LIST}lookup/", {"isins": asked}, content_type="application/json")


def test_the_commands_name_each_isin() -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("instruments", "lookup", BOND, WRONG, UNKNOWN, "--format", "json", stdout=out)
    items = json.loads(out.getvalue())
    assert outcomes(items) == [(BOND, "found"), (WRONG, "invalid"), (UNKNOWN, "unknown")]

    out = io.StringIO()
    call_command("instruments", "list", "--isin", f"{BOND},{UNKNOWN}", stdout=out, stderr=err)
    assert BOND in out.getvalue()
    assert f"{UNKNOWN}: unknown. No loaded file has this ISIN." in err.getvalue()


def test_a_code_that_is_absent_is_named_as_such() -> None:
    with pytest.raises(InvalidQuery, match="There is no ISIN"):
        resolve_isin(" ")
