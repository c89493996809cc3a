"""Reference listing, most relevant market, requested listings, and issuers told apart from operators."""

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from instruments import pipeline
from instruments.models import Venue
from tests.conftest import DATA

GAZPROM, ASML = "US3682872078", "NL0010273215"
WARRANT, BANK = "DE000MK91EF9", "4PQUHN3JPFGFNF3BB653"
OPERATOR, ISSUER = "213800R54EFFINMY1P02", "724500Y6DUVHQD6OXN27"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]


@pytest.fixture(autouse=True)
def loaded(own_folders: None) -> None:
    call_command("load_venues", stdout=io.StringIO())
    for result in pipeline.load(pipeline.register_files([DATA / "cases" / "issuer_operator"])):
        assert result.error is None


def get(client: Client, path: str) -> Any:
    response = client.get(f"/api/v1/instruments/{path}")
    assert response.status_code == 200, response.content
    return response.json()


def test_the_lei_of_a_venue_operator_is_not_shown_as_the_issuer(client: Client) -> None:
    [row] = get(client, f"?isin={GAZPROM}")["results"]
    assert (row["issuer_lei"], row["operator_lei"]) == ("", OPERATOR)
    issuer = get(client, f"{GAZPROM}/")["issuer"]
    assert (issuer["lei"], issuer["published_lei"]) == (None, OPERATOR)
    assert issuer["is_venue_operator"] is True
    assert "TPIC" in issuer["operated_venues"]
    assert issuer["operator_name"]
    assert "not shown as the issuer" in issuer["note"]
    page = client.get(f"/instruments/{GAZPROM}/").content.decode()
    assert "Issuer (LEI)" not in page
    assert "Venue operator (LEI)" in page
    out = io.StringIO()
    call_command("instruments", "get", GAZPROM, stdout=out)
    assert "operator lei" in out.getvalue()


def test_an_issuer_is_shown_as_such(client: Client) -> None:
    [row] = get(client, f"?isin={ASML}")["results"]
    assert (row["issuer_lei"], row["operator_lei"]) == (ISSUER, "")
    issuer = get(client, f"{ASML}/")["issuer"]
    assert (issuer["lei"], issuer["is_venue_operator"], issuer["note"]) == (ISSUER, False, None)
    assert "Issuer (LEI)" in client.get(f"/instruments/{ASML}/").content.decode()


def test_a_bank_that_is_a_systematic_internaliser_is_the_issuer_of_its_warrants(
    client: Client,
) -> None:
    path = DATA / "firds" / "FULINS_R_20250830_01of01.zip"
    [result] = pipeline.load(pipeline.register_files([path], excerpt=True))
    assert result.error is None
    assert Venue.objects.filter(lei=BANK, category="SINT").exists()

    [row] = get(client, f"?isin={WARRANT}")["results"]
    assert (row["issuer_lei"], row["operator_lei"]) == (BANK, "")
    assert "emittiert von Morgan Stanley" in row["full_name"]
    assert get(client, f"{WARRANT}/")["issuer"]["lei"] == BANK
    body = {"items": [{"isin": WARRANT}]}
    checked = client.post("/api/v1/reportability/", body, "application/json").json()
    assert checked["results"][0]["issuer_lei"] == BANK


def test_reference_market_and_requested_listings_are_told_apart(client: Client) -> None:
    answer = get(client, f"{ASML}/")

    assert answer["reference_listing"]["mic"] == answer["mic"] == "XETA"
    market = answer["most_relevant_market"]
    assert (market["mic"], market["is_listed"]) == ("XETA", True)
    assert [venue["mic"] for venue in answer["issuer_requested_listings"]] == ["XAMS"]
    page = client.get(f"/instruments/{ASML}/").content.decode()
    for label in ("Reference listing", "Most relevant market", "Listings requested by the issuer"):
        assert label in page
    assert "rimary" not in page
