"""The web server with clients that send or read slowly, and with answers that break off."""

import contextlib
import http.client
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from marketdata.web.headers import HEADERS
from tests.conftest import ROOT
from tests.deploy.streaming_app import PART, PARTS
from tests.servers import free_port

pytestmark = pytest.mark.sqlite  # no database at all
THREADS = 2
# The settings of deployment, with shorter limits.
CONFIGURATION = f"""
exec(open({str(ROOT / "deploy" / "gunicorn.conf.py")!r}).read())
from marketdata import web_worker
web_worker.HEADER_SECONDS = web_worker.RECEIVE_SECONDS = web_worker.SEND_SECONDS = 2
web_worker.BODY_SECONDS = 2
wsgi_app = "tests.deploy.streaming_app:application"
loglevel = "critical"
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start a server with one worker of THREADS threads; yield its port."""
    path = Path(tmp_path_factory.mktemp("server")) / "gunicorn.conf.py"
    path.write_text(CONFIGURATION)
    port = free_port()
    command = ["-m", "gunicorn", "--config", str(path), "--bind", f"127.0.0.1:{port}"]
    environment = {**os.environ, "WEB_CONCURRENCY": "1", "WEB_THREADS": str(THREADS)}
    environment["GUNICORN_TMP"] = str(path.parent)
    with subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment) as process:
        deadline = time.monotonic() + 60
        while True:
            try:
                assert get(port, "/") == b"page"
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield port
        process.terminate()
        assert process.wait(60) == 0


def get(port: int, path: str, *, seconds: float = 20) -> bytes:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    with contextlib.closing(link):
        link.request("GET", path)
        with link.getresponse() as response:
            return response.read()


def connect(port: int, content: bytes, *, buffer: int = 4_096) -> socket.socket:
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    link.settimeout(20)
    link.connect(("127.0.0.1", port))
    link.sendall(content)
    return link


def read_all(link: socket.socket) -> bytes:
    return b"".join(iter(lambda: link.recv(1_000_000), b""))


@pytest.mark.slow
def test_unfinished_headers_occupy_no_thread_and_are_closed(port: int) -> None:
    links = [connect(port, b"GET / HTTP/1.1\r\nHost: local") for _ in range(20 * THREADS)]

    assert get(port, "/") == b"page"
    for link in links:
        with link, contextlib.suppress(ConnectionResetError):
            assert link.recv(1_000) == b""


def post(length: int) -> bytes:
    return (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        + f"Content-Length: {length}\r\n\r\n".encode()
    )


@pytest.mark.slow
def test_unfinished_bodies_occupy_no_thread_and_are_closed(port: int) -> None:
    links = [connect(port, post(500) + b"{") for _ in range(20 * THREADS)]

    assert get(port, "/") == b"page"
    for link in links:
        with link, contextlib.suppress(ConnectionResetError):
            assert link.recv(1_000) == b""


def test_a_body_that_arrives_in_pieces_is_answered(port: int) -> None:
    with connect(port, post(8)) as link:
        for piece in (b"four", b"five"):
            time.sleep(0.2)
            link.sendall(piece)

        assert read_all(link).endswith(b"4\r\npage\r\n0\r\n\r\n")


@pytest.mark.slow
def test_a_long_body_that_trickles_gives_its_thread_back(port: int) -> None:
    trickling = [connect(port, post(100_000) + b"x" * 16_384) for _ in range(THREADS)]
    waiting = connect(port, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    with waiting:
        waiting.settimeout(0.3)  # shorter than the time without a byte
        answer = b""
        while not answer:
            for link in trickling:
                with contextlib.suppress(OSError):
                    link.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                answer = waiting.recv(1_000)

        assert answer.startswith(b"HTTP/1.1 200")
    for link in trickling:
        link.close()


def test_a_header_that_arrives_in_pieces_is_answered(port: int) -> None:
    with connect(port, b"GET / HTTP/1.1\r\nHo") as link:
        for piece in (b"st: local", b"host\r\nConnection: close\r", b"\n\r\n"):
            time.sleep(0.3)
            link.sendall(piece)

        assert read_all(link).endswith(b"4\r\npage\r\n0\r\n\r\n")


def test_requests_one_after_another_on_one_connection_are_answered(port: int) -> None:
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with connect(port, request + request) as link:
        time.sleep(0.3)
        link.sendall(last)

        assert read_all(link).count(b"page") == 3


@pytest.mark.parametrize(("length", "is_kept"), [(100, True), (1_000_000, False)])
def test_a_body_that_is_left_unread_ends_the_connection_with_notice(
    port: int, length: int, is_kept: bool
) -> None:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(link):
        for _ in range(3):
            link.request("PUT", "/", body=b"x" * length)
            with link.getresponse() as response:
                assert response.read() == b"page"
                assert (response.getheader("Connection") == "close") is not is_kept


def test_requests_that_follow_their_connections_late_do_not_end_the_process(port: int) -> None:
    """Such a request may arrive between two looks of the worker; the next socket has the same number."""
    process = get(port, "/process")

    def ask(number: int) -> bytes:
        with connect(port, b"") as link:
            time.sleep(number % 7 / 1_000)
            link.sendall(b"GET /process HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return read_all(link)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(400)))

    assert all(process in answer for answer in answers)


@pytest.mark.slow
def test_clients_that_stop_reading_give_their_threads_back(port: int) -> None:
    request = b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
    stalled = [connect(port, request) for _ in range(THREADS)]
    time.sleep(0.5)

    assert get(port, "/") == b"page"  # after the limit for sending

    for link in stalled:
        with link:
            try:
                content = read_all(link)
            except ConnectionResetError:
                content = b""
            assert not content.endswith(b"\r\n0\r\n\r\n")
            assert content.count(PART) < PARTS


def test_clients_that_do_not_close_delay_nobody(port: int) -> None:
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    links = [connect(port, request) for _ in range(30)]
    for link in links:
        assert b"page" in read_all(link)

    # One after another, they would be waited for a minute.
    assert get(port, "/", seconds=10) == b"page"
    for link in links:
        link.close()


@pytest.mark.slow
def test_a_slow_reader_gets_the_whole_stream(port: int) -> None:
    """It takes longer than the limit for sending, which is for the time without any progress."""
    request = b"GET /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    with connect(port, request, buffer=500_000) as link:
        content = b""
        for _ in range(8):
            time.sleep(0.5)
            content += link.recv(1_000_000)
        content += read_all(link)

    assert content.endswith(b"\r\n0\r\n\r\n")
    assert content.count(PART) == PARTS


def test_a_stream_that_breaks_off_has_no_valid_end(port: int) -> None:
    with connect(port, b"GET /broken HTTP/1.1\r\nHost: h\r\n\r\n") as link:
        content = read_all(link)
    assert PART in content
    assert not content.endswith(b"0\r\n\r\n")

    with pytest.raises(http.client.IncompleteRead):
        get(port, "/broken")


def test_no_header_names_the_software(port: int) -> None:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    link.request("GET", "/")
    response = link.getresponse()
    link.close()

    assert "Server" not in response.headers
    assert "gunicorn" not in str(response.headers)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /?q=" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 9_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\n<b>: x\r\n\r\n", 400),
        (b"<b>\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_refused_by_a_problem_document(
    port: int, request_: bytes, status: int
) -> None:
    with connect(port, request_) as link:
        head, _, body = read_all(link).partition(b"\r\n\r\n")

    problem = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Type: application/problem+json" in head
    headers = http.client.parse_headers(io.BytesIO(head.partition(b"\r\n")[2] + b"\r\n\r\n"))
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert HEADERS.items() <= dict(headers).items()
    assert "Server" not in headers
    assert problem["status"] == status
    assert problem["detail"]
    assert b"<b>" not in body


def test_a_long_address_is_served(port: int) -> None:
    assert get(port, "/?q=" + "x" * 8_000) == b"page"


def test_headers_of_proxies_are_left_to_the_settings(port: int) -> None:
    names = ("SCRIPT_NAME: /address", "X-Forwarded-Proto: https", "X-Forwarded-Ssl: on")
    for header in (*names, "X-Forwarded-Proto: http\r\nX-Forwarded-Ssl: on"):
        request_ = f"GET /address HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{header}\r\n\r\n"
        with connect(port, request_.encode()) as link:
            assert b"\r\nhttp ''\r\n" in read_all(link), header
