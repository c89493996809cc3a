"""Answers in fewer bytes: zstd, Brotli or gzip, as the client accepts.

Only GET and HEAD of JSON, CSV, NDJSON and the schema, and not answers that must not be stored, because those
have secrets. Pages are not compressed: they have a token in each form.
"""

import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import pyarrow as pa
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

MEDIA_TYPES = frozenset(
    {
        *("application/json", "application/problem+json", "application/x-ndjson", "text/csv"),
        "text/xml",
        *("application/vnd.oai.openapi", "application/vnd.oai.openapi+json", "application/yaml"),
    }
)
# The smallest first for its time; Brotli has no stream of a low level in Arrow.
CODINGS = ("zstd", "br", "gzip")
STREAM_CODINGS = ("zstd", "gzip")
_CODECS = {"zstd": "zstd", "br": "brotli", "gzip": "gzip"}
_LEVEL = 1
_LEAST_BYTES = 500  # shorter answers fit into one packet anyway
_QUALITY = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_GZIP = 16 + zlib.MAX_WBITS


class CompressionMiddleware:
    """Compress answers. It stands before the middleware that sets ETags of what is sent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if request.method not in ("GET", "HEAD") or not _is_compressible(response):
            return response
        patch_vary_headers(response, ["Accept-Encoding"])
        accepted = request.headers.get("Accept-Encoding", "")
        if isinstance(response, StreamingHttpResponse):
            _compress_stream(response, accepted)
        elif isinstance(response, HttpResponse):
            _compress_content(response, accepted)
        return response


def choose(accepted: str, codings: Iterable[str]) -> str | None:
    """Return the coding that a header Accept-Encoding prefers; None for none.

    Of equal ones it is the first of `codings`.
    """
    if not accepted:
        return None
    qualities: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameter = part.partition(";")
        match = _QUALITY.fullmatch(parameter.strip())
        if parameter.strip() and match is None:
            continue
        qualities[name.strip()] = float(match[1]) if match else 1.0
    others = qualities.get("*", 0.0)
    best, best_quality = None, 0.0
    for coding in codings:
        quality = qualities.get(coding, others)
        if quality > best_quality:
            best, best_quality = coding, quality
    return None if qualities.get("identity", 0.0) > best_quality else best


def _is_compressible(response: HttpResponseBase) -> bool:
    if response.status_code == 304:
        return True
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
    return (
        media_type in MEDIA_TYPES
        and "Content-Encoding" not in response.headers
        and "no-store" not in response.headers.get("Cache-Control", "")
    )


def _compress_content(response: HttpResponse, accepted: str) -> None:
    coding = choose(accepted, CODINGS)
    if coding is None or len(response.content) < _LEAST_BYTES:
        return
    codec = pa.Codec(_CODECS[coding], compression_level=_LEVEL)
    response.content = codec.compress(response.content, asbytes=True)
    response.headers["Content-Length"] = str(len(response.content))
    _mark(response, coding)


def _compress_stream(response: StreamingHttpResponse, accepted: str) -> None:
    coding = choose(accepted, STREAM_CODINGS)
    if coding is None:
        return
    chunks = cast(Iterator[bytes], response.streaming_content)
    response.streaming_content = _write_zstd(chunks) if coding == "zstd" else _write_gzip(chunks)
    del response.headers["Content-Length"]
    _mark(response, coding)


def _mark(response: HttpResponseBase, coding: str) -> None:
    """Set Content-Encoding, and make the ETag weak: it identifies the content before compression."""
    response.headers["Content-Encoding"] = coding
    etag = response.headers.get("ETag", "")
    if etag.startswith('"'):
        response.headers["ETag"] = f"W/{etag}"


def _write_gzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for chunk in chunks:
        if compressed := compressor.compress(chunk):
            yield compressed
    yield compressor.flush()


class _Written(io.RawIOBase):
    """A file that keeps what is written to it until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, part: object) -> int:
        content = bytes(cast(bytes, part))
        self._parts.append(content)
        return len(content)

    def take(self) -> bytes:
        content = b"".join(self._parts)
        self._parts.clear()
        return content


def _write_zstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    written = _Written()
    stream = pa.CompressedOutputStream(pa.PythonFile(written, mode="w"), "zstd")
    for chunk in chunks:
        stream.write(chunk)
        if compressed := written.take():
            yield compressed
    stream.close()
    yield written.take()
