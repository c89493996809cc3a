"""The pages of venues, on the bundled list."""

import io

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from instruments.models import ListedVenue, Venue

pytestmark = pytest.mark.usefixtures("anonymous_reading")


@pytest.fixture(autouse=True)
def venues(db: None) -> None:
    call_command("load_venues", stdout=io.StringIO())
    ListedVenue.objects.create(mic="XETA", listings=1_234, eu_listings=1_234)


def test_venues_are_searched_and_filtered(client: Client) -> None:
    page = client.get("/venues/", {"q": "frankfurt", "country": "de"}).content.decode()

    assert 'href="/venues/XFRA/"' in page
    assert 'href="/venues/XPAR/"' not in page
    listed = client.get("/venues/", {"listed": "true"}).content.decode()
    assert "1 venue<" in listed
    assert 'class="number">1,234</td>' in listed


def test_a_venue_shows_its_operator_and_segments_and_leads_to_its_instruments(
    client: Client,
) -> None:
    segment = client.get("/venues/xeta/").content.decode()
    operating = client.get("/venues/XETR/").content.decode()

    assert "1,234 listings" in segment
    assert 'href="/?mic=XETA"' in segment
    assert 'href="/venues/XETR/"' in segment
    assert "SGMT (market segment MIC)" in segment
    assert "RMKT (regulated market)" in segment
    names = Venue.objects.filter(operating_mic="XETR").exclude(mic="XETR")
    assert all(f'href="/venues/{venue.mic}/"' in operating for venue in names)


@pytest.mark.parametrize("mic", ["QQQQ", "x"])
def test_an_unknown_venue_is_a_page(client: Client, mic: str) -> None:
    response = client.get(f"/venues/{mic}/")

    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")


def test_invalid_filters_are_explained(client: Client) -> None:
    page = client.get("/venues/", {"country": "D1"}).content.decode()

    assert "A country code has two letters." in page


def test_the_number_of_queries_is_fixed(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for path, number in (("/venues/", 3), ("/venues/?country=DE", 4), ("/venues/XETR/", 5)):
        with django_assert_num_queries(number):
            client.get(path)
