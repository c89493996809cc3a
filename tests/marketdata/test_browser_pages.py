"""The pages of the data in a real Chromium: accessible, small, and good on a narrow and dark screen.

Screenshots of every page are kept in var/screenshots, which Git ignores, to be looked at.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from esma_files.models import EsmaFile, Run
from instruments import tasks
from instruments.models import Venue
from tests import demo_files
from tests.browsing import Visit
from tests.conftest import ROOT

SCREENSHOTS = ROOT / "var" / "screenshots"
pytestmark = pytest.mark.django_db(transaction=True)
ISIN = "DE000A1R07V3"
SHARE, BOND = demo_files.SHARE, demo_files.BOND
PAGES = {
    "front": "/",
    "search": "/?q=nordlicht&currency=EUR",
    "instrument": f"/instruments/{SHARE}/?as_of=2026-07-20",
    "bond": f"/instruments/{BOND}/",
    "history": f"/instruments/{SHARE}/history/",
    "compare": f"/instruments/{SHARE}/compare/?all=on",
    "transparency": f"/instruments/{BOND}/transparency/?on=2026-07-20",
    "dossier": f"/instruments/{SHARE}/dossier/",
    "cfi_table": "/cfi/",
    "cfi": "/cfi/DBFTFB/",
    "venues": "/venues/",
    "venue": "/venues/XETR/",
    "entities": "/entities/",
    "entity": f"/entities/{demo_files.ISSUER}/",
    "files": "/files/",
    "calendar": "/files/calendar/",
    "runs": "/files/runs/",
    "rejects": "/files/rejects/",
    "storage": "/files/storage/",
    "problems": "/problems/",
    "check": "/check/",
    "analytics": "/analytics/",
    "not_found": "/instruments/SE0000115446/",
    "sign_in": "/sign-in/",
}


@pytest.fixture(params=["light", "dark"])
def reader(
    request: pytest.FixtureRequest, browser: Browser, server: LiveServer
) -> Iterator[tuple[str, Visit]]:
    """A wide light window, and a narrow dark one, as on a telephone."""
    width = 1280 if request.param == "light" else 390
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=request.param
    )
    yield request.param, Visit(context.new_page(), server.url)
    context.close()


@pytest.mark.slow
@pytest.mark.usefixtures("demo")
def test_every_page_is_small_and_accessible(reader: tuple[str, Visit]) -> None:
    scheme, visit = reader
    Venue.objects.create(mic="XETR", operating_mic="XETR", name="XETRA", country="DE")
    tasks.recount_coverage()
    tasks.count_figures()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    for name, path in PAGES.items():
        visit.open(path)
        visit.page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}.png", full_page=True)
        if name == "not_found":
            visit.complaints.clear()  # The console names every answer with 404.
        visit.check_for_everybody()


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


def test_a_user_creates_and_revokes_an_api_key(admin_visit: Visit) -> None:
    page = admin_visit.page
    admin_visit.open("/account/")
    page.get_by_text("Create an API key").click()
    page.fill("input[name=name]", "nightly")
    page.get_by_role("button", name="Create").click()
    assert page.locator(".secret").inner_text().startswith("md_")
    admin_visit.check_for_everybody()

    page.get_by_role("button", name="Revoke nightly").click()

    page.get_by_text("is revoked.").wait_for()
    assert page.get_by_role("button", name="Revoke nightly").count() == 0
    admin_visit.check()


@pytest.mark.usefixtures("demo")
def test_a_reader_filters_pages_and_checks_a_list(visit: Visit) -> None:
    page = visit.page
    visit.open("/?q=nordlicht")
    page.get_by_text("Filters", exact=True).click()
    page.select_option("select[name=category]", "D")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**category=D**")
    assert page.locator("tbody tr").count() == 2
    page.get_by_role("link", name="Check a list").click()
    page.fill("textarea", f"{SHARE} XETR 2026-07-20\n{BOND}")
    page.get_by_role("button", name="Check").click()
    page.get_by_text("Nordlicht SE (made up)").first.wait_for()

    visit.check_for_everybody()


@pytest.mark.usefixtures("demo")
def test_nothing_moves_after_a_page_is_laid_out(visit: Visit) -> None:
    visit.page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach("
        "entry => { window.shift += entry.value; })).observe({type: 'layout-shift', buffered: true});"
    )
    for path in (
        "/",
        f"/instruments/{SHARE}/",
        f"/instruments/{BOND}/transparency/",
        "/analytics/",
    ):
        visit.open(path)
        # A table that is painted while its rows arrive may widen a column: a fifth of what counts as good.
        assert visit.page.evaluate("window.shift") < 0.02, path
    visit.check()
