"""The pages and the admin, on real records."""

import re

import pytest
from django.test import Client

from accounts.models import User
from esma_files.models import EsmaFile
from instruments.models import Correction, Instrument, Listing, OutputProfile, Scope
from marketdata.web.pages import BoundedPaginator
from tests.admin_pages import find_admin_pages

pytestmark = pytest.mark.usefixtures("real_instruments", "anonymous_reading")


def test_the_search_box_leads_straight_to_a_known_isin(client: Client) -> None:
    assert b'name="q"' in client.get("/").content

    response = client.get("/", {"q": " de000a1r07v3 "})

    assert response.headers["Location"] == "/instruments/DE000A1R07V3/"


def test_words_find_instruments_by_name(client: Client) -> None:
    page = client.get("/", {"q": "yuexiu"}).content.decode()

    assert "1 instrument for “yuexiu”" in page
    assert 'href="/instruments/HK0405033157/"' in page


def test_a_wrong_check_digit_is_told(client: Client) -> None:
    page = client.get("/", {"q": "DE000A1R07V4"}).content.decode()

    assert "the check digit is 4, and should be 3" in page


def test_what_is_asked_for_is_shown_as_text(client: Client) -> None:
    page = client.get("/", {"q": "<script>alert(1)</script>"}).content.decode()

    assert "<script>" not in page


def test_a_very_long_search_is_answered(client: Client) -> None:
    client.force_login(User.objects.create_superuser("admin"))
    words = "a " * 5000

    assert client.get("/", {"q": words}).status_code == 200
    assert client.get("/admin/instruments/instrument/", {"q": words}).status_code == 200


def test_an_instrument_shows_its_terms_and_every_listing(client: Client) -> None:
    page = client.get("/instruments/DE000A1R07V3/").content.decode()

    terms, published = page.split("Every field, as published")
    for shown in (
        "KFW/1.625 ANL 20210115 GGAR",
        "5,000,000,000 EUR",
        "XEUB",
        "2021-01-15, ",
        "1.625 %",
        "Terminated",
    ):
        assert shown in terms
    for shown in ("Kreditanst.f.Wiederaufbau     Anl.", "2014-01-14T09:00:00Z", "Relevant venue"):
        assert shown in published


def test_the_day_of_the_reportability_is_that_of_the_records_unless_another_is_asked_for(
    client: Client,
) -> None:
    address = "/instruments/DE000A1R07V3/"

    today = client.get(address).content.decode()
    as_of = client.get(f"{address}?as_of=2021-06-01").content.decode()
    on = client.get(f"{address}?as_of=2021-06-01&on=2022-03-04").content.decode()

    assert re.findall(">Reportability on (.*)</h2>", today) != ["2021-06-01"]
    assert re.findall(">Reportability on (.*)</h2>", as_of) == ["2021-06-01"]
    assert re.findall(">Reportability on (.*)</h2>", on) == ["2022-03-04"]


def test_the_reportability_of_a_venue_leads_to_the_file_that_it_follows_from(
    client: Client,
) -> None:
    listing = Listing.objects.of("DE000A1R07V3").get(mic="XGAT")

    page = client.get("/instruments/DE000A1R07V3/?on=2021-06-01").content.decode()

    answers = page[page.index(">Reportability on") :]
    link = f'<a href="/files/{listing.source_file_id}/">{listing.source_file.name}</a>'
    assert re.search(f"XGAT.*?{link}, record {listing.source_position},", answers, re.DOTALL)


def test_an_unknown_instrument_is_a_page_with_a_search_box(client: Client) -> None:
    response = client.get("/instruments/SE0000115446/")

    assert response.status_code == 404
    assert b'name="q"' in response.content


@pytest.mark.slow
def test_every_admin_page_opens_and_data_cannot_be_changed(client: Client) -> None:
    client.force_login(User.objects.create_superuser("admin"))
    for model in find_admin_pages():
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert client.get(path).status_code == 200, path
        assert client.get(path, {"q": "DE000A1R07V3"}).status_code == 200, path
        # People set scopes, propose corrections and keep output profiles; everything else comes from files.
        written_by_people = (Scope, Correction, OutputProfile)
        if (
            model._meta.app_label in ("instruments", "esma_files")
            and model not in written_by_people
        ):
            assert client.get(f"{path}add/").status_code == 403
            first = model._default_manager.first()
            if first is not None:
                page = client.get(f"{path}{first.pk}/change/")
                assert page.status_code == 200
                assert b'name="_save"' not in page.content
                assert client.post(f"{path}{first.pk}/delete/", {"post": "yes"}).status_code == 403
    assert EsmaFile.objects.count() == 11


def test_an_instrument_links_to_its_rows_files_and_page(client: Client) -> None:
    client.force_login(User.objects.create_superuser("admin"))
    listing = Listing.objects.select_related("source_file").first()
    assert listing is not None

    page = client.get(f"/admin/instruments/instrument/{listing.isin}/change/").content.decode()

    assert f"/admin/instruments/listing/?q={listing.isin}" in page
    assert f"/admin/instruments/listingversion/?q={listing.isin}" in page
    assert f"/admin/esma_files/esmafile/{listing.source_file_id}/change/" in page
    assert f'href="/instruments/{listing.isin}/"' in page
    assert "Issuer LEI" in page


def test_the_admin_is_for_staff(client: Client) -> None:
    client.force_login(User.objects.create_user("reader"))

    assert client.get("/admin/").status_code == 302


def test_the_admin_finds_instruments_by_name_and_category(client: Client) -> None:
    client.force_login(User.objects.create_superuser("admin"))

    page = client.get("/admin/instruments/instrument/", {"q": "yuexiu", "category": "C"})

    assert b"HK0405033157" in page.content
    assert b"DE000A1R07V3" not in page.content


def test_a_page_of_what_the_index_finds_keeps_the_order_that_was_asked_for() -> None:
    found = Instrument.objects.with_status("active").order_by("-isin")
    paginator = BoundedPaginator(found, 3)

    pages = [row.pk for number in (1, 2) for row in paginator.page(number)]

    assert pages == [row.pk for row in found[:6]]
    assert pages != sorted(pages)
