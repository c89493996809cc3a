"""Answers in fewer bytes, compared with the same answers as they are."""

import io
import zlib
from typing import Any

import pyarrow as pa
import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory

from instruments.models import Instrument
from marketdata.web import compression
from tests.accounts.clients import make_user

LIST = "/api/v1/instruments/"
ARROW = {"zstd": "zstd", "br": "brotli", "gzip": "gzip"}


def expand(response: Any) -> bytes:
    content = b"".join(response) if response.streaming else response.content
    name = ARROW[response.headers["Content-Encoding"]]
    return bytes(pa.CompressedInputStream(io.BytesIO(content), name).read())


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=0.5, br;q=0.4", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *;q=0.1", "br"),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=0", None),
        ("gzip;q=2", None),
        ("gzip;level=1", None),
        ("deflate", None),
        ("", None),
    ],
)
def test_the_coding_is_the_best_one_accepted(accepted: str, coding: str | None) -> None:
    assert compression.choose(accepted, compression.CODINGS) == coding


@pytest.mark.usefixtures("real_instruments", "anonymous_reading")
def test_lists_are_the_same_in_each_coding(client: Client) -> None:
    plain = client.get(LIST)
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["Vary"]
    for coding in compression.CODINGS:
        headers = {"accept-encoding": coding}
        response = client.get(LIST, headers=headers)
        assert response.headers["Content-Encoding"] == coding
        assert int(response.headers["Content-Length"]) == len(response.content)
        assert len(response.content) < len(plain.content) / 3
        assert expand(response) == plain.content
        assert response.headers["ETag"] == f"W/{plain.headers['ETag']}"
        headers["if-none-match"] = response.headers["ETag"]
        unchanged = client.get(LIST, headers=headers)
        assert unchanged.status_code == 304
        assert "Accept-Encoding" in unchanged.headers["Vary"]
        assert "Content-Encoding" not in unchanged.headers


@pytest.mark.usefixtures("real_instruments")
@pytest.mark.parametrize("format_", ["csv", "ndjson", "parquet"])
def test_exports_are_the_same_in_each_coding(client: Client, format_: str) -> None:
    client.force_login(make_user("analyst", "analyst"))
    address = f"{LIST}export/?file={format_}"
    plain = b"".join(client.get(address))
    assert len(plain) > 1_000 < Instrument.objects.count() * 1_000
    for accepted, coding in (("zstd", "zstd"), ("gzip", "gzip"), ("br, gzip;q=0.1", "gzip")):
        response = client.get(address, headers={"accept-encoding": accepted})
        if format_ == "parquet":
            assert "Content-Encoding" not in response.headers
            continue
        assert response.headers["Content-Encoding"] == coding
        assert expand(response) == plain


def answer(response: Any, method: str = "GET") -> Any:
    request = getattr(RequestFactory(), method.lower())("/", headers={"accept-encoding": "gzip"})

    def view(request: HttpRequest) -> Any:
        return response

    return compression.CompressionMiddleware(view)(request)


JSON = "application/json"


@pytest.mark.parametrize(
    ("response", "method"),
    [
        (HttpResponse(b"x" * 499, content_type=JSON), "GET"),
        (HttpResponse(b"x" * 5_000, content_type=JSON), "POST"),
        (HttpResponse(b"x" * 5_000, content_type="text/html"), "GET"),
        (HttpResponse(b"x" * 5_000, content_type="application/zip"), "GET"),
        (
            HttpResponse(b"x" * 5_000, content_type=JSON, headers={"Cache-Control": "no-store"}),
            "GET",
        ),
        (HttpResponse(b"x" * 5_000, content_type=JSON, headers={"Content-Encoding": "a"}), "GET"),
    ],
)
def test_other_answers_are_sent_as_they_are(response: HttpResponse, method: str) -> None:
    content = response.content
    assert answer(response, method).content == content


@pytest.mark.django_db(transaction=True)  # the end of a response looks at the connections
def test_streams_are_read_bit_by_bit_and_closed() -> None:
    read: list[int] = []

    class Chunks:
        closed = False

        def __iter__(self) -> Any:
            for number in range(1_000):
                read.append(number)
                yield zlib.compress(str(number).encode()) * 100  # which compresses badly

        def close(self) -> None:
            self.closed = True

    chunks = Chunks()
    response = answer(StreamingHttpResponse(chunks, content_type="text/csv"))
    content = iter(response)
    next(content)
    assert len(read) < 1_000
    response.close()
    assert chunks.closed
