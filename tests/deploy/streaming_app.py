"""A WSGI application for tests of the web server: a page, a long stream, and one that breaks off."""

from collections.abc import Callable, Iterator
from typing import Any

PART = b"x" * 65_536
PARTS = 150  # 10 MB: more than the buffers of a connection hold


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return {"/stream": stream, "/broken": break_off}.get(environ["PATH_INFO"], page)()


def page() -> Iterator[bytes]:
    yield b"page"


def stream() -> Iterator[bytes]:
    for _ in range(PARTS):
        yield PART


def break_off() -> Iterator[bytes]:
    yield PART
    raise RuntimeError("the second part cannot be made")
