"""Corrections of venues, over lists of ISO 10383."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from curation import proposals
from curation.proposals import Proposal
from instruments import data_versions
from instruments.models import Correction, DataSubject, Venue
from instruments.venues import load as venue_lists
from marketdata.common.errors import InvalidQuery, NotInDatabase
from tests import firds
from tests.accounts.clients import client_of_new_user
from tests.instruments.listings.merging import VOLVO, Write, day, full, load

pytestmark = pytest.mark.django_db(transaction=True)
_HEADER = (
    "MIC,OPERATING MIC,OPRT/SGMT,MARKET NAME-INSTITUTION DESCRIPTION,LEGAL ENTITY NAME,LEI,"
    "MARKET CATEGORY CODE,ACRONYM,ISO COUNTRY CODE (ISO 3166),CITY,WEBSITE,STATUS,CREATION DATE,"
    "LAST UPDATE DATE,LAST VALIDATION DATE,EXPIRY DATE,COMMENTS"
)


def publish(name: str, day_of_june: int, mic: str = "AAAA") -> None:
    """Load a list with one venue, validated on a day of June 2023."""
    row = f"{mic},{mic},OPRT,{name},OPERATOR AB,,RMKT,,SE,OSLO,,ACTIVE,,,202306{day_of_june:02},,"
    venue_lists.load(f"{_HEADER}\n{row}\n".encode(), name="list.csv")


def correct(value: str = "NORDEN", field: str = "name") -> Correction:
    proposal = Proposal(mic="AAAA", field=field, value=value, reason="Misspelt")
    correction = proposals.propose(proposal, by="ann")
    proposals.approve(correction, by="carl")
    return correction


@pytest.fixture
def norden() -> None:
    publish("NRODEN", 1)
    publish("SUEDEN", 1, "BBBB")


@pytest.mark.usefixtures("norden", "anonymous_reading")
def test_a_correction_is_served_with_the_published_value_beside_it(
    client: Client, make_zip: Write, capsys: Any
) -> None:
    load(make_zip, full(2), firds.record("RefData", VOLVO, "AAAA", period=day(1)))
    before = data_versions.read([DataSubject.VENUES])[0]
    number = correct().number
    correct("STOCKHOLM", "city")
    correct("", "category")
    correct("NO", "country")
    user = client_of_new_user("vic")

    venue = user("get", "/venues/AAAA/").json()
    shown = (venue["name"], venue["city"], venue["category"], venue["country"])
    assert shown == ("NORDEN", "STOCKHOLM", "", "NO")
    by_field = {row["field"]: row for row in venue["corrections"]}
    assert by_field["name"]["number"] == number
    assert by_field["name"]["published"] == "NRODEN"
    off = user("get", "/venues/AAAA/", {"corrections": "off"}).json()
    assert (off["name"], off["country"], off["corrections"]) == ("NRODEN", "SE", [])
    assert Venue.objects.get(pk="AAAA").name == "NRODEN"
    assert data_versions.read([DataSubject.VENUES])[0] != before

    def select(**filters: str) -> list[str]:
        return [row["mic"] for row in user("get", "/venues/", filters).json()["results"]]

    assert select(q="norden") == ["AAAA"]
    assert select(q="nroden") == []
    assert select(country="NO") == ["AAAA"]
    assert select(country="SE") == ["BBBB"]
    assert select(category="RMKT") == ["BBBB"]
    [listed] = user("get", "/venues/", {"q": "norden", "corrections": "off"}).json()["results"]
    assert listed["name"] == "NRODEN"
    countries = user("get", "/venues/countries/").json()["results"]
    assert {row["country"] for row in countries} == {"NO", "SE"}
    statistics = user("get", "/venues/statistics/").json()
    assert {row["value"]: row["venues"] for row in statistics["by_category"]} == {"": 1, "RMKT": 1}
    [listing] = user("get", f"/instruments/{VOLVO}/").json()["listings"]
    assert listing["venue_name"] == "NORDEN"
    [row] = user("get", "/instruments/", {"include": "venue"}).json()["results"]
    assert row["venue"]["name"] == "NORDEN"
    query = {"include": "venue", "corrections": "off"}
    [row] = user("get", "/instruments/", query).json()["results"]
    assert row["venue"]["name"] == "NRODEN"
    page = client.get("/venues/AAAA/").content.decode()
    assert "<h1>NORDEN</h1>" in page
    assert '>NRODEN</td><td data-label="Shown here">NORDEN</td>' in page
    assert ">NORDEN</td>" in client.get("/venues/?q=norden").content.decode()
    assert "NORDEN" in client.get("/suggestions/?q=NORD").content.decode()
    call_command("venues", "get", "AAAA")
    assert "NORDEN" in capsys.readouterr().out


@pytest.mark.usefixtures("norden")
def test_a_correction_follows_the_lists() -> None:
    correction = correct()
    publish("NRODEN AB", 2)
    correction.refresh_from_db()
    remark = "The list of venues publishes 'NRODEN AB'."
    assert (correction.state, correction.remark) == ("to_review", remark)
    assert not Venue.objects.search("norden").exists()
    publish("NORDEN", 3)
    correction.refresh_from_db()
    assert (correction.state, correction.replaced) == ("overtaken", None)
    publish("NRODEN", 1)  # an older list
    assert list(Venue.objects.search("norden").values_list("mic", flat=True)) == ["AAAA"]


@pytest.mark.usefixtures("norden")
def test_invalid_proposals_are_refused() -> None:
    def refuse(error: type[Exception], match: str, mic: str, field: str, value: str) -> None:
        proposal = Proposal(mic=mic, field=field, value=value, reason="Misspelt")
        with pytest.raises(error, match=match):
            proposals.propose(proposal, by="ann")

    refuse(InvalidQuery, "cannot be corrected", "AAAA", "lei", "X")
    refuse(InvalidQuery, "not a value of Country", "AAAA", "country", "SWE")
    refuse(NotInDatabase, "No loaded list of venues has CCCC", "CCCC", "name", "NORDEN")


@pytest.mark.usefixtures("norden", "anonymous_reading")
def test_lists_take_as_many_queries_with_corrections_as_without() -> None:
    user = client_of_new_user("vic")

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert user("get", "/venues/").status_code == 200
        return len(queries)

    count()
    without = count()
    correct()
    correct("STOCKHOLM", "city")
    count()
    assert count() == without
