"""Pages of CFI codes."""

import pytest
from django.test import Client

from instruments.models import CfiCode, InstrumentCount

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("anonymous_reading")]


def test_the_table_shows_every_category_with_its_kept_count(client: Client) -> None:
    InstrumentCount.objects.create(category="D", status="active", instruments=1234)
    InstrumentCount.objects.create(category="D", status="terminated", instruments=1000)

    page = client.get("/cfi/").content.decode()

    assert "2,234 instruments</a>, 1,234 published as active" in page
    assert page.count('href="/cfi/DB/"') == 1
    assert page.count("<h2>") == 14


def test_a_code_is_decoded_letter_by_letter(client: Client) -> None:
    page = client.get("/cfi/dbftfb/").content.decode()

    assert "Fixed maturity (the principal amount is repaid in full at maturity)" in page
    assert '<a class="code" href="/cfi/DBVTFB/">V</a>' in page
    assert '<a class="code" href="/cfi/DBFTFB/" aria-current="true">F</a>' in page
    assert 'href="/?cfi=DBFTFB"' in page


def test_a_letter_outside_of_the_standard_is_named(client: Client) -> None:
    page = client.get("/cfi/DBQTFB/").content.decode()

    assert "Letter 3, Q, is not in ISO 10962 at this place." in page


@pytest.mark.parametrize("code", ["E", "ES", "ES*T"])
def test_parts_of_the_table_show_the_codes_in_use(client: Client, code: str) -> None:
    CfiCode.objects.create(code="ESVTFR")

    page = client.get(f"/cfi/{code}/").content.decode()

    assert 'href="/cfi/ESVTFR/"' in page


def test_codes_that_are_none_are_refused(client: Client) -> None:
    assert client.get("/cfi/Q1/").status_code == 404
    assert client.get("/cfi/QQ/").status_code == 404
    assert "is not one to six letters" in client.get("/cfi/", {"code": "12"}).content.decode()
    assert client.get("/cfi/", {"code": " esv "}).headers["Location"] == "/cfi/ESV/"
