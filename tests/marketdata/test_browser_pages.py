"""The pages of the data in a real Chromium: accessible, small, and good on a narrow and dark screen.

Screenshots of every page are kept in var/screenshots, which Git ignores, to be looked at.
"""

import re
from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route
from pytest_django.live_server_helper import LiveServer

from esma_files.models import EsmaFile, Run
from instruments.models import Instrument, LegalEntity
from tests.browsing import Visit
from tests.conftest import ROOT
from tests.marketdata.conftest import sign_in_as_root
from tests.pages import BOND, PUBLIC_PAGES, SHARE, prepare_pages

SCREENSHOTS = ROOT / "var" / "screenshots"
pytestmark = pytest.mark.django_db(transaction=True)
ISIN = "DE000A1R07V3"
PHONE_PAGES = (
    *(f"/instruments/{SHARE}/", f"/instruments/{SHARE}/history/", f"/instruments/{SHARE}/dossier/"),
    *(f"/instruments/{BOND}/transparency/", "/venues/", "/entities/", "/files/", "/files/runs/"),
    *("/files/calendar/", "/problems/no_entity/", "/cfi/DBFTFB/", "/status/"),
)
NOTE_SHIFTS = (
    "window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach("
    "entry => { window.shift += entry.value; })).observe({type: 'layout-shift', buffered: true});"
)
# A table that is painted while its rows arrive may widen a column: a fifth of what counts as good.
MOST_SHIFT = 0.02


@pytest.fixture(params=["light", "dark"])
def reader(
    request: pytest.FixtureRequest, browser: Browser, server: LiveServer
) -> Iterator[tuple[str, Visit]]:
    """A wide light window, and a narrow dark one, as on a telephone."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    width = 1280 if request.param == "light" else 390
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=request.param
    )
    yield request.param, Visit(context.new_page(), server.url)
    context.close()


def look_at(visit: Visit, pages: dict[str, str], scheme: str) -> None:
    """Open each page, keep a screenshot of it, and check it; nothing may move after it was laid out."""
    visit.page.add_init_script(NOTE_SHIFTS)
    for name, path in pages.items():
        visit.open(path)
        assert visit.page.evaluate("window.shift") < MOST_SHIFT, path
        visit.check_for_everybody()
        if scheme == "light":
            take_screenshots(visit.page, name)


def take_screenshots(page: Page, name: str) -> None:
    """Keep pictures of a page, light and dark, wide and narrow."""
    size = page.viewport_size
    assert size is not None
    for width, window in ((1280, "wide"), (390, "narrow")):
        page.set_viewport_size({"width": width, "height": size["height"]})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=SCREENSHOTS / f"{name}-{window}-{scheme}.png", full_page=True)
    page.set_viewport_size(size)
    page.emulate_media(color_scheme="light")


@pytest.mark.slow
@pytest.mark.usefixtures("demo")
def test_every_page_is_small_and_accessible(reader: tuple[str, Visit]) -> None:
    scheme, visit = reader
    prepare_pages()

    look_at(visit, PUBLIC_PAGES, scheme)
    visit.open("/instruments/SE0000115446/")
    visit.complaints.clear()  # the console names every answer with 404
    visit.check_for_everybody()
    if scheme == "light":
        take_screenshots(visit.page, "not_found")

    visit.open("/check/")
    labels = visit.page.locator(".check .fields label")
    tops = labels.evaluate_all("labels => labels.map(label => label.getBoundingClientRect().top)")
    assert scheme == "dark" or len(set(tops)) == 1
    visit.page.fill("textarea", f"{SHARE}, XETR, 2026-07-20\n{BOND}\nDE0000000001\nSE0000115446")
    visit.page.get_by_role("button", name="Check", exact=True).click()
    visit.page.get_by_role("table").first.wait_for()
    visit.check_for_everybody()
    if scheme == "light":
        take_screenshots(visit.page, "checked")


@pytest.mark.slow
@pytest.mark.usefixtures("demo")
def test_every_page_of_a_user_is_small_and_accessible(
    reader: tuple[str, Visit], server: LiveServer
) -> None:
    scheme, visit = reader
    sign_in_as_root(visit, server)

    look_at(visit, prepare_pages(), scheme)


@pytest.mark.slow
@pytest.mark.usefixtures("demo")
def test_the_admin_and_the_browsable_api_are_accessible(admin_visit: Visit) -> None:
    file = EsmaFile.objects.earliest("pk")
    for path in (
        "/api/v1/",
        "/api/v1/instruments/",
        f"/api/v1/instruments/{SHARE}/",
        "/admin/",
        "/admin/esma_files/esmafile/",
        f"/admin/esma_files/esmafile/{file.pk}/change/",
        "/admin/instruments/instrument/",
        "/admin/accounts/user/add/",
        f"/files/{file.pk}/",
        "/account/",
    ):
        admin_visit.open(path)
        admin_visit.check_accessible()


@pytest.mark.usefixtures("real_instruments")
def test_a_reader_searches_opens_goes_back_in_time_and_compares(visit: Visit) -> None:
    page = visit.page
    visit.open("/")
    page.fill("input[name=q]", "kfw")
    page.press("input[name=q]", "Enter")
    page.get_by_role("link", name=ISIN).click()
    page.fill("input[name=as_of]", "2021-01-10")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**as_of=2021-01-10**")

    assert page.get_by_text("As of 2021-01-10.").is_visible()
    page.get_by_role("link", name="Compare two records").click()
    page.check("input[name=all]")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**all=on**")
    assert page.get_by_role("rowheader", name="Full name", exact=True).is_visible()
    visit.check()


@pytest.mark.slow
@pytest.mark.usefixtures("real_instruments")
def test_a_search_that_takes_longer_loads_its_results(
    reader: tuple[str, Visit], settings: LazySettings
) -> None:
    scheme, visit = reader
    page = visit.page
    settings.FIRST_ANSWER_MILLISECONDS = 0
    answers: list[Route] = []

    def hold(answer: Route) -> None:
        answers.append(answer)

    page.route(re.compile("wait=1"), hold)
    page.goto(f"{visit.server}/?q=kfw&category=D")

    page.get_by_role("status").get_by_text("it takes some seconds").wait_for()
    visit.check_for_everybody()
    if scheme == "light":
        take_screenshots(page, "pending")
    for answer in answers:
        answer.continue_()
    page.get_by_role("link", name=ISIN).wait_for()
    assert page.get_by_role("group", name="Narrow the list").is_visible()
    visit.check()


@pytest.mark.slow
@pytest.mark.usefixtures("demo")
def test_results_of_a_search_need_no_sideways_scrolling_on_a_phone(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 360, "height": 800})
    visit.open("/?q=nordlicht")

    frame = visit.page.locator("#results .scroll")
    assert frame.evaluate("frame => frame.scrollWidth - frame.clientWidth") == 0
    row = visit.page.get_by_role("row").filter(has_text=SHARE)
    assert row.get_by_role("cell").count() == 6
    assert row.get_by_text("Active").is_visible()
    visit.check_accessible()


@pytest.mark.slow
@pytest.mark.usefixtures("demo")
def test_answers_and_lists_need_no_sideways_scrolling_on_a_phone(admin_visit: Visit) -> None:
    page = admin_visit.page
    page.set_viewport_size({"width": 360, "height": 800})
    prepare_pages()
    tables = 0
    for path in ("/check/", *PHONE_PAGES):
        admin_visit.open(path)
        if path == "/check/":
            page.fill("textarea", f"{SHARE}, XETR, 2026-07-20\nDE0000000001")
            page.get_by_role("button", name="Check", exact=True).click()
            page.get_by_text("Liquidity:").wait_for()
        frames = page.locator("table.stacked")
        widths = frames.evaluate_all(
            "tables => tables.map(table => table.parentElement.scrollWidth - table.parentElement.clientWidth)"
        )
        tables += len(widths)
        assert max(widths, default=0) == 0, path
    assert tables > len(PHONE_PAGES)


@pytest.mark.slow
@pytest.mark.usefixtures("real_instruments")
def test_an_arabic_name_does_not_turn_the_code_beside_it(visit: Visit) -> None:
    LegalEntity.objects.create(
        lei=Instrument.objects.get(isin=ISIN).issuer_lei,
        legal_name="شركة الشمال",
        last_updated_at=timezone.now(),
        source_file=EsmaFile.objects.latest("pk"),
        source_position=1,
        fingerprint=1,
    )
    visit.open(f"/instruments/{ISIN}/")

    code = visit.page.locator(".facts div", has_text="Issuer (LEI)").locator(".code")
    places = code.evaluate(
        "code => [...code.textContent].map((letter, place) => { const range = document.createRange();"
        " range.setStart(code.firstChild, place); range.setEnd(code.firstChild, place + 1);"
        " return range.getBoundingClientRect().left; })"
    )
    assert code.inner_text().startswith("549300")
    assert places == sorted(places)


@pytest.mark.slow
@pytest.mark.usefixtures("demo")
def test_printed_pages_have_all_columns_and_charts_on_the_paper(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 700, "height": 1000})  # A4 without its margins
    visit.page.emulate_media(media="print")
    share = f"/instruments/{SHARE}/"
    for path in (f"{share}dossier/", share, f"{share}history/", "/?q=nordlicht"):
        visit.open(path)
        widths = visit.page.locator(".scroll > table").evaluate_all(
            "tables => tables.map(table => table.scrollWidth - table.parentElement.clientWidth)"
        )
        assert max(widths) <= 0, path
    visit.open(share)
    assert visit.page.locator(".chart rect.bar").first.is_visible()
    assert not visit.page.get_by_role("navigation", name="Main").is_visible()
    visit.check()


@pytest.mark.usefixtures("real_instruments")
def test_the_search_box_suggests_while_one_types(visit: Visit) -> None:
    page = visit.page
    visit.open("/")
    page.locator("input[name=q]").press_sequentially("kfw")
    page.locator(".suggestions a", has_text=ISIN).click()
    page.wait_for_url(f"**/instruments/{ISIN}/")

    visit.check()


@pytest.mark.slow
@pytest.mark.usefixtures("real_instruments")
def test_a_run_is_followed_to_its_end(visit: Visit) -> None:
    run = Run.objects.create(
        file=EsmaFile.objects.earliest("pk"), state=Run.State.RUNNING, share=0.5
    )
    visit.open("/files/runs/")
    assert visit.page.locator("progress").get_attribute("value") == "50"

    Run.objects.filter(pk=run.pk).update(state=Run.State.DONE, read=1_234)

    visit.page.get_by_text("1,234").wait_for()
    assert visit.page.locator("progress").count() == 0
    visit.check()


@pytest.mark.slow
def test_a_user_creates_and_revokes_an_api_key(admin_visit: Visit) -> None:
    page = admin_visit.page
    admin_visit.open("/account/")
    page.get_by_text("Create an API key").click()
    page.fill("input[name=name]", "nightly")
    page.get_by_role("button", name="Create").click()
    assert page.locator(".secret").inner_text().startswith("md_")
    admin_visit.check_for_everybody()

    assert page.title() == "Your account · MarketData"
    page.locator("summary", has_text="Revoke nightly").click()
    page.get_by_role("button", name="Revoke nightly for good").click()

    page.get_by_text("is revoked.").wait_for()
    assert page.get_by_role("button", name="Revoke nightly").count() == 0
    admin_visit.check()


@pytest.mark.slow
def test_a_double_click_creates_one_api_key_and_shows_it(admin_visit: Visit) -> None:
    admin_visit.open("/account/")
    page = admin_visit.page
    page.get_by_text("Create an API key").click()
    page.fill("input[name=name]", "double click")
    # Clicks without a pause are one submission for Chromium.
    page.get_by_role("button", name="Create").evaluate(
        "button => { button.click(); setTimeout(() => button.click(), 30); }"
    )
    page.get_by_role("status").wait_for()

    assert page.locator("code.secret").count() == 1
    assert page.locator("td.name", has_text="double click").count() == 1
    page.go_back(wait_until="networkidle")
    page.get_by_text("Create an API key").click()
    page.fill("input[name=name]", "after going back")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("status").wait_for()
    admin_visit.check()


@pytest.mark.slow
@pytest.mark.usefixtures("demo")
def test_a_reader_filters_pages_and_checks_a_list(visit: Visit) -> None:
    page = visit.page
    visit.open("/?q=nordlicht")
    page.get_by_text("Filters", exact=True).click()
    page.select_option("select[name=category]", "D")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**/?q=nordlicht&category=D")
    assert page.locator("tbody tr").count() == 2
    page.get_by_role("link", name="Check a list").click()
    page.fill("textarea", f"{SHARE} XETR 2026-07-20\n{BOND}")
    page.get_by_role("button", name="Check").click()
    page.get_by_text("Nordlicht SE (made up)").first.wait_for()

    visit.check_for_everybody()


@pytest.mark.slow
@pytest.mark.usefixtures("demo")
def test_nothing_moves_after_a_page_is_laid_out(visit: Visit) -> None:
    visit.page.add_init_script(NOTE_SHIFTS)
    for path in (
        "/",
        f"/instruments/{SHARE}/",
        f"/instruments/{BOND}/transparency/",
        "/analytics/",
    ):
        visit.open(path)
        assert visit.page.evaluate("window.shift") < MOST_SHIFT, path
    visit.check()
