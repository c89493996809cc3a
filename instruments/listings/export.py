"""Instruments as a file: CSV, NDJSON or Parquet, of any filter, in constant memory.

Read in pages by key and not through one open cursor: a page at a time is all that is ever held, on any
database, and a slow reader keeps nothing locked.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from instruments.models import InstrumentQuerySet

PAGE = 10_000
COLUMNS = (
    "isin",
    "full_name",
    "short_name",
    "cfi_code",
    "notional_currency",
    "issuer_lei",
    "status",
    "mic",
    "register",
    "listing_count",
    "eu_listings",
    "uk_listings",
)
_NUMBERS = {"listing_count", "eu_listings", "uk_listings"}
_SCHEMA = pa.schema([(name, pa.int32() if name in _NUMBERS else pa.string()) for name in COLUMNS])

Rows = list[tuple[Any, ...]]


def pages(instruments: InstrumentQuerySet, *, size: int = PAGE) -> Iterator[Rows]:
    """The columns of all these instruments, by ISIN, `size` at a time."""
    after = ""
    while rows := list(instruments.after(after).values_list(*COLUMNS)[:size]):
        yield rows
        after = rows[-1][0]


def as_csv(rows: Iterator[Rows]) -> Iterator[bytes]:
    """With a line of column names; values as published, so names may begin with any character."""
    yield _csv([COLUMNS])
    for page in rows:
        yield _csv(page)


def _csv(rows: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def as_ndjson(rows: Iterator[Rows]) -> Iterator[bytes]:
    """An object a line."""
    for page in rows:
        lines = [
            json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) for row in page
        ]
        yield ("\n".join(lines) + "\n").encode()


def as_parquet(rows: Iterator[Rows]) -> Iterator[bytes]:
    """A row group a page; readable only when it is whole, for the index comes last."""
    sink = _Sink()
    with pq.ParquetWriter(sink, _SCHEMA, compression="zstd") as writer:
        for page in rows:
            columns = zip(*page, strict=True)
            arrays = [pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=_SCHEMA))
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file that can be emptied while it is being written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def taken(self) -> bytes:
        """What has been written since the last time."""
        found, self._parts = b"".join(self._parts), []
        return found


FORMS: dict[str, tuple[str, Callable[[Iterator[Rows]], Iterator[bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "ndjson": ("application/x-ndjson", as_ndjson),
    "parquet": ("application/vnd.apache.parquet", as_parquet),
}
