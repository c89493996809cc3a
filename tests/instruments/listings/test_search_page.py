"""The front page: the overview, and the search with filters to the end of long lists."""

import io
import re
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from instruments.listings import export, search_page
from instruments.listings.load import search_index
from instruments.models import Instrument, LegalEntity, Listing, Venue
from tests import demo_files
from tests.instruments.listings.merging import Write
from tests.instruments.listings.test_search import load_names

_LINK = re.compile(r'<td data-label="ISIN" class="code"><a href="/instruments/(\w{12})/">')


def shown(client: Client, query: str) -> list[str]:
    response = client.get(f"/?{query}")
    assert response.status_code == 200
    return _LINK.findall(response.content.decode())


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_the_overview_has_the_numbers_of_the_database(client: Client) -> None:
    page = client.get("/").content.decode()

    total = Instrument.objects.count()
    active = Instrument.objects.filter(status="active").count()
    assert f"{total:,} instruments, {active:,} published as active" in page
    bonds = Instrument.objects.filter(cfi_code__startswith="D").count()
    assert re.search(
        rf'href="\?category=D">[^<]+</a></td>.*?<td class="number">{bonds:,}</td>', page, re.DOTALL
    )
    assert '<a href="/cfi/">table of CFI codes</a>' in page
    assert re.search(r">ESMA FIRDS</a></td><td class=\"day\">20\d\d-\d\d-\d\d<br>", page)


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_filters_alone_list_instruments_as_the_api_does(client: Client) -> None:
    listing = Listing.objects.filter(isin__startswith="DE").earliest("isin")
    for query in (
        "category=D",
        f"mic={listing.mic}",
        "currency=eur&category=D",
        "effective_status=terminated",
        "cfi=DB",
        "q=kfw&category=D&ordering=isin",
    ):
        rows = client.get(f"/api/v1/instruments/?{query}").json()["results"]

        assert rows
        assert shown(client, query) == [row["isin"] for row in rows], query


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("mic=XX", "A MIC has four letters or digits."),
        ("category=Z", "is not a valid choice"),
        ("q=a&after=x", "after: "),
    ],
)
def test_an_invalid_filter_is_explained(client: Client, query: str, message: str) -> None:
    page = client.get(f"/?{query}").content.decode()

    assert message in page
    assert "No instrument found" not in page


@pytest.mark.slow
@pytest.mark.usefixtures("anonymous_reading", "transactional_db")
def test_next_leads_to_the_end_of_a_long_list(client: Client, make_zip: Write) -> None:
    isins = load_names(make_zip, *(f"Call {n}" for n in range(1_030)))
    assert shown(client, "q=call&page=50") == isins[980:1_000]
    page = client.get("/?q=call&page=50").content.decode()
    assert "More than 1,000 instruments" in page
    walked = []
    while following := re.search(r'href="\?([^"]+)">Next</a>', page):
        query = following[1].replace("&amp;", "&")
        page = client.get(f"/?{query}").content.decode()
        walked += _LINK.findall(page)
    assert walked == isins[1_000:]


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_the_number_of_queries_of_the_front_page_is_fixed(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(6):
        client.get("/")


@pytest.mark.usefixtures("anonymous_reading", "db")
def test_an_empty_database_says_how_to_load(client: Client, tmp_path: Path) -> None:
    assert "No files have been loaded yet." in client.get("/").content.decode()


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_the_front_page_draws_the_changes_of_the_last_days(client: Client) -> None:
    page = client.get("/").content.decode()

    assert "<title>2026-07-13: 0 new, 3 changed, 0 ended</title>" in page
    assert "2026-07-18: 1 new, 0 changed, 1 ended." in page


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_problems_are_shown_to_those_who_can_act_on_them(
    client: Client, admin_client: Client
) -> None:
    assert "Needs attention" not in client.get("/").content.decode()
    page = admin_client.get("/").content.decode()
    assert '<a href="/files/rejects/">Rejected records: 1</a>' in page


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_codes_lead_to_their_pages(client: Client) -> None:
    call_command("load_venues", stdout=io.StringIO())
    entity = client.get("/", {"q": demo_files.ISSUER.lower()})
    assert entity.status_code == 302
    assert entity["Location"] == f"/entities/{demo_files.ISSUER}/"
    venue = client.get("/?q=xetr").content.decode()
    assert 'XETR is a venue: <a href="/venues/XETR/">XETRA</a>.' in venue
    assert (
        'ESVUFR is a CFI code: <a href="/cfi/ESVUFR/">' in client.get("/?q=esvufr").content.decode()
    )
    assert "is a CFI code" not in client.get("/?q=VOLVOX").content.decode()


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_the_lei_of_an_issuer_without_a_record_leads_to_its_instruments(client: Client) -> None:
    LegalEntity.objects.filter(lei=demo_files.ISSUER).delete()

    issued = client.get("/", {"q": demo_files.ISSUER.lower()}, follow=True)
    unknown = client.get("/", {"q": "549300GDPG70E3MBBU98"})

    assert issued.redirect_chain == [(f"/?issuer={demo_files.ISSUER}", 302)]
    assert f'href="/instruments/{demo_files.SHARE}/"' in issued.content.decode()
    assert "No legal entity with this LEI is loaded" in unknown.content.decode()


@pytest.mark.usefixtures("demo")
def test_a_list_has_the_terms_of_rts_23_as_columns(admin_client: Client) -> None:
    columns = "&column=maturity_date&column=nominal_value_per_unit&column=first_trade_at&column=issuer_name"
    page = admin_client.get(f"/?q=nordlicht&category=D{columns}").content.decode()
    bond = Listing.objects.get(isin=demo_files.BOND)

    for text in (
        f'<td data-label="Maturity" class="code">{bond.maturity_date:%Y-%m-%d}</td>',
        f'<td data-label="Nominal per unit" class="code">{bond.nominal_value_per_unit:,.0f}</td>',
        f'<td data-label="First trade (UTC)" class="code">{bond.first_trade_at:%Y-%m-%d %H:%M}</td>',
        '<td data-label="Issuer">Nordlicht Finance B.V. (made up)</td>',
    ):
        assert text in page


@pytest.mark.usefixtures("demo")
def test_every_column_of_a_list_is_one_of_exports(admin_client: Client) -> None:
    query = "&".join(f"column={name}" for name in search_page.COLUMNS)

    response = admin_client.get(f"/?q=nordlicht&{query}")

    assert response.status_code == 200
    assert set(search_page.COLUMNS) <= set(export.FIELDS["instruments"])
    assert all(
        f'value="{name}" checked' in response.content.decode() for name in search_page.COLUMNS
    )


@pytest.mark.usefixtures("demo")
def test_other_filters_and_registers_keep_the_columns(admin_client: Client) -> None:
    page = admin_client.get("/?q=nordlicht&column=mic").content.decode()

    form = page.partition('role="search"')[2].partition("</form>")[0]
    assert '<input type="hidden" name="column" value="mic">' in form
    assert "&register=FCA&column=mic" in page


@pytest.mark.usefixtures("demo")
def test_an_export_has_the_columns_that_are_shown(admin_client: Client) -> None:
    page = admin_client.get("/?q=nordlicht&column=mic&column=register").content.decode()
    address = re.search(r'href="(/api/v1/instruments/export/[^"]+file=csv)"', page)
    assert address

    export = admin_client.get(address[1].replace("&amp;", "&"))

    lines = b"".join(export.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "isin,mic,register"
    assert len(lines) == 1 + 9


@pytest.mark.slow
@pytest.mark.usefixtures("anonymous_reading", "transactional_db")
@pytest.mark.parametrize("active", [2, 1_010])
def test_active_instruments_come_before_those_that_have_ended(
    client: Client, make_zip: Write, active: int
) -> None:
    isins = load_names(make_zip, *(f"Call {n}" for n in range(1_030)))
    ended = isins[: 1_030 - active]
    Instrument.objects.filter(pk__in=ended[1:]).update(
        status="terminated", active_until="0001-01-01"
    )
    Instrument.objects.filter(pk=ended[0]).update(active_until="2020-01-01", ended_as="expired")
    search_index.rebuild()

    first = shown(client, "q=call")
    walked = shown(client, "q=call&page=50")
    page = client.get("/?q=call&page=50").content.decode()
    while following := re.search(r'href="\?([^"]+)">Next</a>', page):
        query = following[1].replace("&amp;", "&")
        page = client.get(f"/?{query}").content.decode()
        walked += _LINK.findall(page)

    by_relevance = [*isins[1_030 - active :], *ended]
    assert first == by_relevance[:20]
    assert walked == by_relevance[980:]


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_results_are_shown_without_facets_that_take_too_long(
    client: Client, settings: LazySettings
) -> None:
    query = {"category": "D"}
    assert 'class="facets"' in client.get("/", query).content.decode()
    settings.FACETS_TIMEOUT_SECONDS = 0

    page = client.get("/", {**query, "wait": "1"})

    content = page.content.decode()
    assert page.status_code == 200
    assert 'class="facets"' not in content
    assert "Counting these results by category, venue and issuer takes too long" in content
    assert 'class="code"><a href="/instruments/' in content


@pytest.mark.usefixtures("demo", "anonymous_reading")
@pytest.mark.parametrize("query", ["category=D", "q=nordlicht", "has_figi=false&currency=EUR"])
def test_what_is_not_ready_is_loaded_into_the_page(
    client: Client, settings: LazySettings, query: str
) -> None:
    ready = client.get(f"/?{query}").content.decode()
    settings.FIRST_ANSWER_MILLISECONDS = 0

    first = client.get(f"/?{query}").content.decode()
    patient = re.search(r'id="results" hx-get="(\?[^"]+)" hx-trigger="load"', first)
    assert patient is not None
    address = patient[1].replace("&amp;", "&")
    answer = client.get(f"/{address}", headers={"HX-Request": "true"}).content.decode()

    results = re.compile('<section id="results".*?</section>', re.DOTALL)
    assert "Searching" in first
    assert not _LINK.findall(first)
    assert "hx-trigger" not in results.findall(answer)[0]
    assert results.findall(answer) == results.findall(ready)
    assert f'href="{patient[1]}">Wait for the results</a>' in first  # without JavaScript


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_a_misspelt_word_is_not_corrected_before_it_is_searched(
    client: Client, settings: LazySettings
) -> None:
    settings.FIRST_ANSWER_MILLISECONDS = 0

    first = client.get("/?q=nordlihct").content.decode()
    patient = client.get("/?q=nordlihct&wait=1").content.decode()

    assert "These are the instruments for" not in first
    assert "These are the instruments for “nordlicht”" in patient


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_a_search_that_is_stopped_says_so(client: Client, settings: LazySettings) -> None:
    settings.REQUEST_TIMEOUT_SECONDS = 2  # which are kept for the page

    page = client.get("/?category=D&wait=1")
    part = client.get("/?category=D&wait=1", headers={"HX-Request": "true"})

    assert (page.status_code, part.status_code) == (503, 200)
    for answer in (page, part):
        assert "The search was stopped" in answer.content.decode()
        assert "No instrument found" not in answer.content.decode()


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_facets_count_what_their_addresses_list(client: Client) -> None:
    page = client.get("/?q=nordlicht").content.decode()
    rows = re.findall(
        r'<li><a href="(\?[^"]+)">([^<]+)</a> <span class="number">([\d,]+)</span>', page
    )

    assert {text for _, text, _ in rows} >= {"Debt instruments", "Equities", "DB Bonds", "EUR"}
    assert any("mic_exact=" in address for address, _, _ in rows)
    assert any("issuer=" in address for address, _, _ in rows)
    for address, _, number in rows:
        narrower = client.get(f"/{address.replace('&amp;', '&')}").content.decode()
        assert f'<h1 class="small">{number} instrument' in narrower, address
    assert (
        '<strong>EUR</strong> <a href="?q=nordlicht">Remove</a>'
        in client.get("/?q=nordlicht&currency=EUR").content.decode()
    )


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_the_cfi_facet_leads_from_letter_to_letter(client: Client) -> None:
    page = client.get("/?q=nordlicht&cfi=DB").content.decode()

    assert '<strong>DB Bonds</strong> <a href="?q=nordlicht">Remove</a>' in page
    assert re.search(r'href="\?q=nordlicht&amp;cfi=DBF">DBF [A-Z][^<]+</a>', page)
    assert "<summary>Filters: <strong>CFI code, or its start DB</strong></summary>" in page


@pytest.mark.usefixtures("demo", "anonymous_reading")
@pytest.mark.parametrize(
    "text",
    [
        "zznordshare8",
        " ZZN ORD SHARE8\u00a0",
        "ISIN: ZZNORDSHARE8",
        "\u200bZZNORDSHARE8",
        "isin ZZNORDSHARE8",
    ],
)
def test_an_isin_is_found_however_it_was_copied(client: Client, text: str) -> None:
    answer = client.get("/", {"q": text})

    assert (answer.status_code, answer.headers["Location"]) == (302, "/instruments/ZZNORDSHARE8/")


@pytest.mark.usefixtures("demo", "anonymous_reading")
def test_a_search_without_instruments_says_why_and_leads_on(client: Client) -> None:
    Venue.objects.create(mic="XTST", operating_mic="XTST", name="XTEST EXCHANGE", country="DE")
    valid = client.get("/?q=US0378331005").content.decode()
    venue = client.get("/?q=xtest").content.decode()
    entity = client.get("/?q=polarstern").content.decode()

    assert "US0378331005 is a valid ISIN, but no file that was loaded has it." in valid
    assert re.search(r'venue <a href="/venues/XTST/">XTEST EXCHANGE</a>', venue)
    assert re.search(r'entity <a href="/entities/\w{20}/">Polarstern Holding SE', entity)
