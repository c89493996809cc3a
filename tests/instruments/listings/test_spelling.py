"""Misspelt searches and suggestions, on made names."""

import datetime as dt

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from instruments.listings import spelling
from instruments.models import LegalEntity, Venue
from tests.instruments.listings.merging import Write
from tests.instruments.listings.test_search import load_names

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("anonymous_reading"),
]
NAMES = ("VOLKSWAGEN AG", "VOLVO AB", "Volkswagen Leasing 4%", "ÅKER SOLUTIONS", "DAX12400 PUT")


@pytest.fixture
def names(make_zip: Write) -> None:
    load_names(make_zip, *NAMES)


@pytest.mark.sqlite
@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("text", "corrected"),
    [
        ("volkswagn", "volkswagen"),
        ("Volkswagn leesing", "volkswagen leasing"),
        ("volkwsagen ag", "volkswagen ag"),
        ("aker soluttions", "aker solutions"),
        ("volks", None),
        ("volkswagen", None),
        ("vlo", None),
        ("zzzzzz", None),
        ("12345", None),
        ("", None),
        ("\ue000", None),
    ],
)
def test_a_word_that_no_name_has_is_corrected(text: str, corrected: str | None) -> None:
    assert spelling.correct(text) == corrected


@pytest.mark.sqlite
@pytest.mark.usefixtures("names")
def test_a_misspelt_search_shows_the_instruments_of_the_corrected_one(client: Client) -> None:
    page = client.get("/", {"q": "volkswagn"}).content.decode()
    filtered = client.get("/", {"q": "volkswagn", "category": "D"}).content.decode()

    assert "No name has “volkswagn”. These are the instruments for “volkswagen”." in page
    assert "VOLKSWAGEN AG" in page
    assert "Volkswagen Leasing" in page
    assert "VOLVO" not in page
    assert "No instrument found" in filtered


@pytest.mark.usefixtures("names")
def test_suggestions_are_links_to_pages(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    LegalEntity.objects.create(
        lei="213800FERQ5LE3H7WJ58",
        legal_name="VOLK & SONS",
        source_file_id=1,
        source_position=1,
        fingerprint=1,
        last_updated_at=dt.datetime(2025, 3, 1, tzinfo=dt.UTC),
    )
    Venue.objects.create(mic="VOLX", operating_mic="VOLX", name="Volks exchange")

    with django_assert_num_queries(6):  # three searches, two for corrections, and one for the words
        page = client.get("/suggestions/", {"q": "volks"}).content.decode()

    assert page.count("<li>") == 3
    assert 'href="/venues/VOLX/"' in page
    assert client.get("/suggestions/", {"q": "v"}).content.strip() == b""


@pytest.mark.usefixtures("names")
def test_the_list_has_the_columns_that_are_chosen(client: Client) -> None:
    default = client.get("/", {"q": "volkswagen"}).content.decode()
    chosen = client.get("/?q=volkswagen&column=mic&column=x").content.decode()

    assert "<th>Effective status</th>" in default
    assert "<th>ISIN</th><th>Venue</th></tr>" in chosen
    assert 'name="column" value="mic" checked' in chosen
    assert "/api/v1/instruments/export/" not in chosen
