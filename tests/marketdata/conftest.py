"""Fixtures of the tests in a real browser."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Browser, sync_playwright
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from tests.browsing import Visit


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


@pytest.fixture
def visit(browser: Browser, server: LiveServer) -> Iterator[Visit]:
    context = browser.new_context()
    yield Visit(context.new_page(), server.url)
    context.close()


@pytest.fixture
def admin_visit(visit: Visit, server: LiveServer) -> Visit:
    """A visit by a signed-in superuser."""
    sign_in_as_root(visit, server)
    return visit


def sign_in_as_root(visit: Visit, server: LiveServer) -> None:
    """Give the browser of a visit the session of a superuser."""
    user = User.objects.create_superuser("root", password="long enough for a test")
    client = Client()
    client.force_login(user)
    name = django_settings.SESSION_COOKIE_NAME
    cookie = client.cookies[name].value
    visit.page.context.add_cookies([{"name": name, "value": cookie, "url": server.url}])
