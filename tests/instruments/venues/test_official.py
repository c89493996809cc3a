"""Fetching the list, from a real https server on this machine."""

import http.server
import io
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import stamina
import trustme
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from instruments.models import Venue
from instruments.venues import load
from marketdata.common import http as esma_http
from marketdata.common.errors import ForbiddenAddress, Refused, Unavailable


class Publisher:
    """Answers each path with a status, headers and a body; counts what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, dict[str, str], bytes]]] = {}
        self.asked: list[str] = []
        self.base = ""

    def answer(self, path: str, *answers: tuple[int, dict[str, str], bytes]) -> str:
        """The answers to one request after the other, the last for all that follow; the address."""
        self.answers[path] = list(answers)
        return self.base + path

    def next(self, path: str) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(path)
        left = self.answers[path]
        return left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def serving(publisher: Publisher, context: ssl.SSLContext) -> Iterator[None]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = publisher.next(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Keep the test output clean."""

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up early is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    publisher.base = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def publisher(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Publisher]:
    """A server with a certificate that this process trusts, as it would any other: by REQUESTS_CA_BUNDLE."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    stamina.set_testing(True, attempts=3)  # no pauses between attempts
    made = Publisher()
    with serving(made, context):
        yield made
    stamina.set_testing(False)


def fetch(url: str) -> bytes:
    return esma_http.read(url, hosts=[urlsplit(url).netloc.split("@")[0]], max_bytes=1_000_000)


def test_the_list_is_fetched_and_loaded(
    publisher: Publisher, settings: LazySettings, db: None
) -> None:
    content = load.BUNDLED.read_bytes()
    settings.MIC_LIST_URL = publisher.answer("/mic.csv", (200, {}, content))
    settings.MIC_LIST_HOSTS = [urlsplit(publisher.base).netloc]

    call_command("load_venues", "--official", stdout=io.StringIO())

    assert Venue.objects.count() == 2767
    assert publisher.asked == ["/mic.csv"]


def test_a_busy_server_is_asked_again(publisher: Publisher) -> None:
    url = publisher.answer("/a", (503, {}, b""), (429, {}, b""), (200, {}, b"list"))

    assert fetch(url) == b"list"
    assert len(publisher.asked) == 3


def test_a_server_that_stays_busy_is_given_up(publisher: Publisher) -> None:
    url = publisher.answer("/a", (503, {}, b""))

    with pytest.raises(Unavailable, match="HTTP 503"):
        fetch(url)
    assert len(publisher.asked) == 3


def test_what_will_not_change_is_not_asked_again(publisher: Publisher) -> None:
    url = publisher.answer("/a", (404, {}, b"no"))

    with pytest.raises(Refused, match="HTTP 404"):
        fetch(url)
    assert len(publisher.asked) == 1


def test_no_more_is_read_than_a_list_can_have(publisher: Publisher) -> None:
    url = publisher.answer("/a", (200, {}, b"x" * 3_000_000))

    with pytest.raises(Refused, match="larger than 1,000,000 bytes"):
        fetch(url)


def test_a_body_that_is_cut_is_asked_for_again(publisher: Publisher) -> None:
    url = publisher.answer("/a", (200, {"Content-Length": "50"}, b"half"), (200, {}, b"whole"))

    assert fetch(url) == b"whole"


def test_redirects_are_followed_within_the_allowed_hosts_only(publisher: Publisher) -> None:
    publisher.answer("/new", (200, {}, b"list"))
    assert fetch(publisher.answer("/a", (302, {"Location": "/new"}, b""))) == b"list"

    for elsewhere in ("https://example.org/list", "http://127.0.0.1/list"):
        url = publisher.answer("/b", (302, {"Location": elsewhere}, b""))
        with pytest.raises(ForbiddenAddress):
            fetch(url)
    with pytest.raises(Refused, match="HTTP 302"):
        fetch(publisher.answer("/loop", (302, {"Location": "/loop"}, b"")))


def test_a_certificate_that_nobody_vouches_for_is_refused(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = publisher.answer("/a", (200, {}, b"list"))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")

    with pytest.raises(Unavailable, match=r"(?i)certificate"):
        fetch(url)
    assert publisher.asked == []


@pytest.mark.django_db
def test_the_command_says_what_is_wrong(settings: LazySettings) -> None:
    settings.MIC_LIST_URL = "https://example.org/list.csv"

    with pytest.raises(CommandError, match=r"example\.org is not one of the hosts"):
        call_command("load_venues", "--official")
