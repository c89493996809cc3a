"""Pages in a real Chromium: nothing violates the content security policy, nothing comes from other hosts."""

import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from instruments.models import Venue

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Playwright's loop runs in this thread, where Django would refuse to use the database.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox"],
        )
        yield opened
        opened.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Visit:
    """A page, with the messages of its console and the hosts of its requests."""

    def __init__(self, page: Page, server: str) -> None:
        self.page = page
        self.server = server
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._note_request)

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location['url']})")

    def _note_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https"):
            self.hosts.add(address.netloc)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.server}{path}", wait_until="networkidle")

    def check(self) -> None:
        assert self.complaints == []
        assert self.hosts == {urlsplit(self.server).netloc}


@pytest.fixture
def server(
    transactional_db: None, own_folders: None, anonymous_reading: None
) -> Iterator[LiveServer]:
    """A server with the settings of this test; the fixture `live_server` keeps those of the first test."""
    started = LiveServer("127.0.0.1")
    started._live_server_modified_settings.enable()
    yield started
    started._live_server_modified_settings.disable()
    started.stop()


@pytest.fixture
def visit(browser: Browser, server: LiveServer) -> Iterator[Visit]:
    context = browser.new_context()
    yield Visit(context.new_page(), server.url)
    context.close()


@pytest.fixture
def admin_visit(visit: Visit, server: LiveServer) -> Visit:
    """A visit by a signed-in superuser."""
    user = User.objects.create_superuser("root", password="long enough for a test")
    client = Client()
    client.force_login(user)
    name = django_settings.SESSION_COOKIE_NAME
    cookie = client.cookies[name].value
    visit.page.context.add_cookies([{"name": name, "value": cookie, "url": server.url}])
    return visit


@pytest.mark.parametrize("path", ["/", "/?q=volvo", "/sign-in/", "/api/auth/login/"])
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
    "path", ["/admin/", "/admin/accounts/user/", "/admin/accounts/user/add/", "/password/"]
)
def test_the_admin_keeps_to_the_policy(admin_visit: Visit, path: str) -> None:
    admin_visit.open(path)

    admin_visit.check()
    assert "/sign-in/" not in admin_visit.page.url


def test_swagger_shows_the_schema_and_keeps_to_the_policy(visit: Visit) -> None:
    visit.open("/api/docs/")
    visit.page.wait_for_selector(".opblock", timeout=30_000)
    visit.page.locator(".opblock-summary").first.click()
    visit.page.wait_for_selector(".opblock.is-open")

    visit.check()


def test_redoc_shows_the_schema_and_keeps_to_the_policy(visit: Visit) -> None:
    visit.open("/api/redoc/")
    visit.page.wait_for_selector("[data-section-id]", timeout=30_000)
    visit.page.locator("input[placeholder]").first.fill("venues")
    visit.page.wait_for_selector("[data-role='search:results'] li")

    visit.check()
