"""Curation in a real Chromium: from a proposal to the API, by two people, in bulk and from a problem."""

import datetime as dt
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from curation import finding
from curation.models import ImportBatch, Problem
from instruments.models import Correction, Instrument
from instruments.venues.load import load_bundled_if_none
from tests.accounts.clients import make_user
from tests.browsing import Visit
from tests.demo_files import BOND, HOLDING, SHARE

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("demo", "anonymous_reading"),
]
SignIn = Callable[[str, str], Visit]
QUEUE = "/admin/instruments/correction/?state__exact=proposed"


@pytest.fixture
def sign_in(browser: Browser, server: LiveServer) -> Iterator[SignIn]:
    """Return a function that opens a window of its own for a new user of a role."""
    contexts = []

    def open_window(name: str, role: str) -> Visit:
        client = Client()
        client.force_login(make_user(name, role))
        cookie = django_settings.SESSION_COOKIE_NAME
        context = browser.new_context()
        contexts.append(context)
        value = client.cookies[cookie].value
        context.add_cookies([{"name": cookie, "value": value, "url": server.url}])
        return Visit(context.new_page(), server.url)

    yield open_window
    for context in contexts:
        context.close()


def read_name(visit: Visit, isin: str) -> str:
    answer = visit.page.request.get(f"{visit.server}/api/v1/instruments/{isin}/")
    name: str = answer.json()["full_name"]
    return name


def choose(visit: Visit, action: str) -> None:
    """Select all rows of a list of the admin, and choose an action."""
    visit.page.check("#action-toggle")
    visit.page.select_option("select[name=action]", action)
    visit.page.get_by_role("button", name="Go").click()


def test_a_proposal_of_an_analyst_is_approved_by_a_curator_and_served(sign_in: SignIn) -> None:
    analyst, curator = sign_in("ann", "analyst"), sign_in("carl", "curator")
    page = analyst.page
    analyst.open(f"/instruments/{SHARE}/")
    page.get_by_role("link", name="Propose a correction").click()
    page.select_option("select[name=field]", "full_name")
    page.fill("input[name=value]", "NORDLICHT RIGHT AG")
    page.fill("textarea[name=reason]", "The register of companies has this name")
    page.get_by_role("button", name="Show what changes").click()
    page.get_by_role("cell", name="NORDLICHT RIGHT AG").first.wait_for()
    analyst.check_accessible()
    page.get_by_role("button", name="Propose", exact=True).click()
    page.get_by_text("It waits for a curator.").wait_for()
    analyst.check_accessible()
    assert read_name(analyst, SHARE) != "NORDLICHT RIGHT AG"

    curator.open(QUEUE)
    choose(curator, "approve")
    curator.page.get_by_role("button", name="Approve").click()
    curator.page.get_by_text("Approve: 1 of 1 done.").wait_for()

    assert read_name(analyst, SHARE) == "NORDLICHT RIGHT AG"
    analyst.open(f"/instruments/{SHARE}/")
    assert page.locator("#corrections").count() == 1
    analyst.check()
    curator.check()


@pytest.mark.parametrize(
    ("subject", "code", "field"), [("entities", HOLDING, "legal_name"), ("venues", "XETR", "name")]
)
def test_a_correction_of_an_entity_or_a_venue_is_served(
    sign_in: SignIn, subject: str, code: str, field: str
) -> None:
    load_bundled_if_none()
    analyst, curator = sign_in("ann", "analyst"), sign_in("carl", "curator")
    page = analyst.page
    analyst.open(f"/{subject}/{code}/")
    page.get_by_role("link", name="Propose a correction").click()
    page.fill("input[name=value]", "THE RIGHT NAME")
    page.fill("textarea[name=reason]", "The register of companies has this name")
    page.get_by_role("button", name="Show what changes").click()
    page.get_by_role("cell", name="THE RIGHT NAME").wait_for()
    analyst.check_accessible()
    page.get_by_role("button", name="Propose", exact=True).click()
    page.get_by_text("It waits for a curator.").wait_for()

    curator.open(QUEUE)
    choose(curator, "approve")
    curator.page.get_by_role("button", name="Approve").click()
    curator.page.get_by_text("Approve: 1 of 1 done.").wait_for()

    answer = page.request.get(f"{analyst.server}/api/v1/{subject}/{code}/").json()
    assert answer[field] == "THE RIGHT NAME"
    [correction] = answer["corrections"]
    assert correction["published"] not in (None, "THE RIGHT NAME")
    analyst.open(f"/{subject}/{code}/")
    assert page.get_by_role("heading", name="THE RIGHT NAME").count() == 1
    shown = page.locator("#corrections + .scroll")
    assert shown.get_by_role("cell", name=correction["published"], exact=True).count() == 1
    analyst.check_accessible()
    analyst.open("/corrections/")
    assert page.get_by_role("link", name=code, exact=True).count() == 1
    analyst.check_accessible()
    analyst.check()
    curator.check()


def test_nobody_approves_their_own_proposal(sign_in: SignIn) -> None:
    ann, carl = sign_in("ann", "curator"), sign_in("carl", "curator")
    page = ann.page
    ann.open("/admin/instruments/correction/add/")
    page.fill("input[name=isin]", BOND)
    page.select_option("select[name=register]", "ESMA")
    page.select_option("select[name=field]", "full_name")
    page.fill("input[name=value]", "THE RIGHT BOND")
    page.fill("textarea[name=reason]", "The prospectus has it")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("The published value is").wait_for()

    for visit, text in ((ann, "another person must approve it"), (carl, "Approve: 1 of 1 done.")):
        visit.open(QUEUE)
        choose(visit, "approve")
        visit.page.get_by_role("button", name="Approve").click()
        visit.page.get_by_text(text).wait_for()

    correction = Correction.objects.get()
    assert (correction.proposed_by, correction.approved_by) == ("ann", "carl")
    assert read_name(carl, BOND) == "THE RIGHT BOND"


def test_a_file_with_a_bad_row_is_tried_and_its_valid_rows_are_committed(sign_in: SignIn) -> None:
    curator = sign_in("carl", "curator")
    page = curator.page
    rows = f"""register,isin,mic,field,value,reason
ESMA,{SHARE},,full_name,NORDLICHT RIGHT AG,Misspelt
ESMA,XX0000000000,,full_name,NOTHING,Misspelt
ESMA,{BOND},,full_name,THE RIGHT BOND,Misspelt
"""
    curator.open("/admin/curation/importbatch/add/")
    page.select_option("select[name=kind]", "corrections")
    page.set_input_files(
        "input[name=file]", {"name": "c.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    )
    page.get_by_role("button", name="Try").click()
    page.get_by_text("Not committed: nothing has been changed.").wait_for()
    fates = page.locator("#fates tbody tr td:nth-child(3)").all_inner_texts()
    assert fates[1] == "invalid"
    assert not Correction.objects.exists()

    page.get_by_role("button", name="Commit the valid rows").click()
    page.get_by_text("Committed:").wait_for()

    assert set(Correction.objects.values_list("isin", flat=True)) == {SHARE, BOND}
    assert ImportBatch.objects.get().counts["invalid"] == 1
    curator.check()


def test_a_problem_is_corrected_to_its_end(sign_in: SignIn) -> None:
    ann, carl = sign_in("ann", "curator"), sign_in("carl", "curator")
    name = Instrument.objects.get(pk=SHARE).full_name
    Problem.objects.create(
        kind="names_differ",
        isin=SHARE,
        register="ESMA",
        published=name,
        suggested="NORDLICHT RIGHT AG",
        detail="Names differ.",
        found_on=dt.date(2026, 7, 20),
    )
    ann.open("/admin/curation/namesdifferproblem/")
    choose(ann, "propose")
    ann.page.fill("textarea[name=reason]", "Most venues have this name")
    ann.page.get_by_role("button", name="Preview").click()
    ann.page.get_by_role("button", name="Propose").click()
    ann.page.get_by_text("Proposed: 1 of 1.").wait_for()

    carl.open(QUEUE)
    choose(carl, "approve")
    carl.page.get_by_role("button", name="Approve").click()
    carl.page.get_by_text("Approve: 1 of 1 done.").wait_for()

    assert read_name(carl, SHARE) == "NORDLICHT RIGHT AG"
    finding.find_all()
    carl.open("/problems/names_differ/")
    assert carl.page.get_by_text(SHARE).count() == 0
    ann.check()
    carl.check()
