"""Venues by API, commands, pages and admin, with listings of real files."""

import io
import json
from collections import Counter
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from instruments import pipeline
from instruments.models import Instrument, ListedVenue, Listing, Venue
from instruments.venues import load
from tests.conftest import FIRDS
from tests.instruments.listings.test_plans import planned, scans
from tests.snapshots import Snapshots

pytestmark = pytest.mark.usefixtures("real_instruments", "anonymous_reading", "venues")


@pytest.fixture
def venues(real_instruments: None, snapshots: Snapshots) -> None:
    snapshots.provide("real-instruments-and-venues", load_bundled_list)


def load_bundled_list() -> None:
    load.load(load.BUNDLED.read_bytes(), name="bundled")


def get(client: Client, path: str, status: int = 200, /, **parameters: Any) -> Any:
    response = client.get(f"/api/v1/venues/{path}", parameters)
    assert response.status_code == status, response.content
    return response.json()


def listings() -> Counter[str]:
    return Counter(Listing.objects.values_list("mic", flat=True))


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_listings_are_counted_as_they_are_loaded() -> None:
    assert dict(ListedVenue.objects.values_list("mic", "listings")) == listings()

    for loaded in pipeline.load(pipeline.register_files([FIRDS / "FULINS_D_20250830_01of01.zip"])):
        assert loaded.error is None

    assert dict(ListedVenue.objects.values_list("mic", "listings")) == listings()


@pytest.mark.parametrize(
    ("parameters", "condition"),
    [
        ({"country": "de"}, {"country": "DE"}),
        ({"status": "expired"}, {"status": "EXPIRED"}),
        ({"category": "OTFS"}, {"category": "OTFS"}),
        ({"kind": "oprt", "country": "FR"}, {"kind": "OPRT", "country": "FR"}),
        ({"operating_mic": "XETR"}, {"operating_mic": "XETR"}),
        ({"mic": "xetr"}, {"operating_mic": "XETR"}),
        ({"mic": "XETA"}, {"mic": "XETA"}),
        ({"mic_exact": "xetr"}, {"mic": "XETR"}),
        ({"lei": "529900LN3S50JPU47S06"}, {"lei": "529900LN3S50JPU47S06"}),
        ({"q": "frankfurt boerse"}, {"city": "FRANKFURT", "name__contains": "BOERSE"}),
    ],
)
def test_each_filter_finds_what_has_that_value(
    client: Client, parameters: dict[str, Any], condition: dict[str, str]
) -> None:
    expected = set(Venue.objects.filter(**condition).values_list("pk", flat=True))
    answer = get(client, "", **parameters, per_page=100)

    assert expected
    assert answer["pagination"]["total"] >= len(expected)
    if "q" not in parameters:
        assert answer["pagination"]["total"] == len(expected)
    if answer["pagination"]["pages"] == 1:
        assert expected <= {row["mic"] for row in answer["results"]}


def test_venues_are_filtered_by_whether_they_have_listings(client: Client) -> None:
    pages = (get(client, "", listed="true", per_page=100, page=n)["results"] for n in (1, 2))
    used = {row["mic"]: row["listings"] for page in pages for row in page}

    assert used
    assert used == {
        mic: n for mic, n in listings().items() if Venue.objects.filter(pk=mic).exists()
    }
    unlisted = get(client, "", listed="false")["pagination"]["total"]
    assert unlisted == Venue.objects.count() - len(used)


def test_a_venue_with_its_segments_and_instruments(client: Client) -> None:
    segments = get(client, "xetr/segments/")["results"]
    assert {row["mic"] for row in segments} == {
        venue.mic for venue in Venue.objects.filter(operating_mic="XETR") if venue.mic != "XETR"
    }
    mic, count = listings().most_common(1)[0]
    venue = get(client, f"{mic}/")
    assert venue["listings"] == count
    assert venue["name"] == Venue.objects.get(pk=mic).name
    with planned() as plan:
        listed = get(client, f"{mic}/instruments/", per_page=100)
    assert scans(plan) == []
    expected = Listing.objects.filter(mic=mic).order_by("isin").values_list("isin", flat=True)
    assert [row["isin"] for row in listed["results"]] == list(expected)[:100]
    assert listed["pagination"]["total"] == count


@pytest.mark.parametrize(
    ("path", "queries"),
    [("", 3), ("XETR/", 2), ("XETR/segments/", 5), ("countries/", 2), ("statistics/", 7)],
)
def test_the_number_of_queries_is_fixed(
    client: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
    path: str,
    queries: int,
) -> None:
    with django_assert_num_queries(queries):
        get(client, path)


def test_an_operating_mic_covers_its_segments() -> None:
    covered = Venue.objects.read_covered(["XETA", "XETR", "NONE"])

    assert {"XETR", "XETA", "XETB"} <= covered.pop("XETR")
    assert covered == {"XETA": {"XETA"}, "NONE": {"NONE"}}


def test_countries_and_statistics_add_up(client: Client) -> None:
    countries = get(client, "countries/", per_page=100)
    assert countries["pagination"]["total"] == Venue.objects.values("country").distinct().count()
    germany = next(row for row in countries["results"] if row["country"] == "DE")
    of_germany = Venue.objects.filter(country="DE")
    assert germany["venues"] == of_germany.count()
    assert germany["active"] == of_germany.exclude(status="EXPIRED").count()
    assert germany["listings"] == sum(listings()[venue.mic] for venue in of_germany)

    statistics = get(client, "statistics/")
    for name in ("by_status", "by_kind", "by_category"):
        assert sum(row["venues"] for row in statistics[name]) == statistics["venues"] == 2767


def test_mics_that_the_list_lacks_are_reported(client: Client) -> None:
    assert run("venues", "missing") == "The list of venues has every MIC that listings use.\n"
    mic, count = listings().most_common(1)[0]
    Venue.objects.filter(pk=mic).delete()

    missing = {"mic": mic, "listings": count, "eu_listings": count, "uk_listings": 0}
    assert get(client, "statistics/")["missing"] == [missing]
    assert f"{count:,} listings use it" in get(client, f"{mic}/", 404)["detail"]
    assert json.loads(run("venues", "missing", "--format", "json")) == [missing]
    isin = Listing.objects.filter(mic=mic).values_list("isin", flat=True)[0]
    shown = client.get(f"/api/v1/instruments/{isin}/").json()
    assert {row["mic"]: row["venue_name"] for row in shown["listings"]}[mic] is None
    client.force_login(User.objects.create_superuser("admin"))
    page = client.get("/admin/instruments/listedvenue/", {"missing": "yes"}).content.decode()
    assert mic in page
    assert "1 MIC in use" in page


def test_invalid_questions_are_refused_with_the_reason(client: Client) -> None:
    assert "four letters or digits" in get(client, "XETRA/", 400)["detail"]
    assert get(client, "ZZZ9/", 404)["detail"].endswith("has no ZZZ9.")
    assert "two letters" in get(client, "", 400, country="GERMANY")["detail"]
    assert "listed" in get(client, "", 400, nonsense="1")["detail"]
    assert "maybe" in get(client, "", 400, listed="maybe")["detail"]
    for mic in ("ÄÖÜX", "X%00Y", "____"):
        assert "four letters or digits" in get(client, f"{mic}/", 400)["detail"]


def test_the_command_says_what_the_api_says(client: Client) -> None:
    listed = json.loads(
        run("venues", "list", "--country", "de", "--limit", "5", "--format", "json")
    )
    assert listed == get(client, "", country="DE", per_page=5)["results"]
    assert json.loads(run("venues", "get", "xetr", "--format", "json")) == get(client, "XETR/")
    assert "Segments" in run("venues", "get", "XETR")
    assert "XETR" in run("venues", "list", "--q", "xetr")
    assert "No venue matches" in run("venues", "list", "--q", "nonsense")
    for arguments, message in (
        (("get", "XETRA"), "four letters"),
        (("get", "ZZZ9"), "has no ZZZ9"),
        (("list", "--country", "GERMANY"), "--country"),
        (("list", "--limit", "0"), "--limit"),
    ):
        with pytest.raises(CommandError, match=message):
            run("venues", *arguments)


def test_names_of_venues_stand_beside_their_listings(client: Client) -> None:
    isin = Instrument.objects.order_by("-listing_count").values_list("pk", flat=True)[0]
    shown = client.get(f"/api/v1/instruments/{isin}/").json()["listings"]
    names = dict(Venue.objects.values_list("mic", "name"))

    for row in shown:
        assert row["venue_name"] == names[row["mic"]]
    page = client.get(f"/instruments/{isin}/").content.decode()
    assert shown[0]["venue_name"].split()[0] in page


def test_the_admin_shows_venues_and_changes_none(client: Client) -> None:
    client.force_login(User.objects.create_superuser("admin"))

    assert "XETR" in client.get("/admin/instruments/venue/", {"q": "XETR"}).content.decode()
    assert client.get("/admin/instruments/venue/XETR/change/").status_code == 200
    assert client.get("/admin/instruments/venue/add/").status_code == 403


def test_load_venues_says_what_it_did(db: None) -> None:
    counted = json.loads(run("load_venues", "--format", "json"))
    assert (counted["read"], counted["unchanged"], counted["problems"]) == (2767, 2767, [])
    assert "2,767" in run("load_venues", str(load.BUNDLED))
    with pytest.raises(CommandError, match="there is no folder"):
        run("load_venues", "/nowhere/list.csv")
