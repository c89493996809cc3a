"""Pages in a real Chromium: nothing violates the content security policy, nothing comes from other hosts."""

import pytest

from instruments.models import Venue
from tests.browsing import Visit
from tests.properties import mostly_slow

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("path", mostly_slow(["/?q=volvo", "/", "/sign-in/", "/api/auth/login/"]))
def test_pages_keep_to_the_policy(visit: Visit, path: str) -> None:
    visit.open(path)

    visit.check()


def test_the_browsable_api_keeps_to_the_policy(visit: Visit) -> None:
    Venue.objects.create(mic="XSTO", operating_mic="XSTO", name="Nasdaq Stockholm")

    visit.open("/api/v1/venues/")
    button = visit.page.locator("button", has_text="Filters")
    is_right = button.evaluate("element => getComputedStyle(element).cssFloat")
    button.click()
    visit.page.wait_for_selector("#filtersModal.in")

    assert is_right == "right"
    visit.check()


@pytest.mark.parametrize(
    "path",
    mostly_slow(["/admin/accounts/user/", "/admin/", "/admin/accounts/user/add/", "/password/"]),
)
def test_the_admin_keeps_to_the_policy(admin_visit: Visit, path: str) -> None:
    admin_visit.open(path)

    admin_visit.check()
    assert "/sign-in/" not in admin_visit.page.url


@pytest.mark.slow
def test_swagger_shows_the_schema_and_keeps_to_the_policy(visit: Visit) -> None:
    visit.open("/api/docs/")
    visit.page.wait_for_selector(".opblock", timeout=30_000)
    visit.page.locator(".opblock-summary").first.click()
    visit.page.wait_for_selector(".opblock.is-open")

    visit.check()


@pytest.mark.slow
def test_redoc_shows_the_schema_and_keeps_to_the_policy(visit: Visit) -> None:
    visit.open("/api/redoc/")
    visit.page.wait_for_selector("[data-section-id]", timeout=30_000)
    visit.page.locator("input[placeholder]").first.fill("venues")
    visit.page.wait_for_selector("[data-role='search:results'] li")

    visit.check()
