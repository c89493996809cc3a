"""A WSGI application for tests of the web server: a page, streams, the process, and what the server adds."""

import os
from collections.abc import Callable, Iterator
from typing import Any

PART = b"x" * 65_536
PARTS = 150  # 10 MB: more than the buffers of a connection hold


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    if environ["REQUEST_METHOD"] == "POST":
        environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/address":
        return iter([f"{environ['wsgi.url_scheme']} {environ['SCRIPT_NAME']!r}".encode()])
    answers = {"/stream": stream, "/broken": break_off, "/process": number_of_process}
    return answers.get(environ["PATH_INFO"], page)()


def number_of_process() -> Iterator[bytes]:
    yield str(os.getpid()).encode()


def page() -> Iterator[bytes]:
    yield b"page"


def stream() -> Iterator[bytes]:
    for _ in range(PARTS):
        yield PART


def break_off() -> Iterator[bytes]:
    yield PART
    raise RuntimeError("the second part cannot be made")
