"""A visit to a page in a real Chromium, and what is checked on every page."""

import json
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request

MOST_BYTES = 300_000  # of a page with all that it loads
_PATIENCE = 120_000  # milliseconds until a step fails, also on a busy machine


class Visit:
    """A page, with the messages of its console and the hosts of its requests."""

    def __init__(self, page: Page, server: str) -> None:
        self.page = page
        self.server = server
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.bytes = 0
        page.set_default_timeout(_PATIENCE)
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._note_request)
        page.on("requestfinished", self._note_size)

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location['url']})")

    def _note_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https"):
            self.hosts.add(address.netloc)

    def _note_size(self, request: Request) -> None:
        sizes = request.sizes()
        self.bytes += sizes["responseBodySize"] + sizes["responseHeadersSize"]

    def open(self, path: str) -> None:
        self.bytes = 0
        self.page.goto(f"{self.server}{path}", wait_until="networkidle")

    def check(self) -> None:
        assert self.complaints == []
        assert self.hosts == {urlsplit(self.server).netloc}

    def check_for_everybody(self) -> None:
        """Check that the page is small and accessible, fits its window, and keeps to the policy."""
        self.check_accessible()
        assert self.bytes < MOST_BYTES

    def check_accessible(self) -> None:
        """Check that the page is accessible, fits its window, and keeps to the policy."""
        self.check()
        violations = Axe().run(self.page).response["violations"]
        self.complaints.clear()  # the policy refuses inline styles that axe itself adds
        assert violations == [], json.dumps(violations, indent=1)[:3000]
        assert self.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
