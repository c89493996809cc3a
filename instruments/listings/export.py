"""Instruments as a file: CSV, NDJSON or Parquet, with any filter, in constant memory.

Rows are read in pages by key, not by one open cursor: only one page is in memory, on any database, and
a slow reader holds no lock.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from instruments.listings.descriptions import describe_instruments
from instruments.models import Instrument, InstrumentQuerySet

PAGE_SIZE = 10_000
COLUMNS = (
    "isin",
    "full_name",
    "short_name",
    "cfi_code",
    "notional_currency",
    "issuer_lei",
    "operator_lei",
    "status",
    "effective_status",
    "mic",
    "register",
    "listing_count",
    "eu_listings",
    "uk_listings",
    "corrected",
)
_NUMBERS = {"listing_count", "eu_listings", "uk_listings"}
_SCHEMA = pa.schema([(name, pa.int32() if name in _NUMBERS else pa.string()) for name in COLUMNS])
# The first characters of a cell that spreadsheet programs read as a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

Rows = list[tuple[Any, ...]]


def read_pages(
    instruments: InstrumentQuerySet, *, size: int = PAGE_SIZE, with_corrections: bool = True
) -> Iterator[Rows]:
    """Yield the values of COLUMNS of all instruments, ordered by ISIN, in pages."""
    after = ""
    while page := list(instruments.after(after)[:size]):
        rows = describe_rows(page, with_corrections=with_corrections)
        yield [tuple(row[name] for name in COLUMNS) for row in rows]
        after = page[-1].isin


def describe_rows(
    instruments: Iterable[Instrument], *, with_corrections: bool = True
) -> list[dict[str, Any]]:
    """Return instruments as rows with COLUMNS among their values.

    `corrected` has the corrected columns with the published values, as JSON; "" for none.
    """
    rows = describe_instruments(instruments, with_corrections=with_corrections)
    for row in rows:
        published = {applied["field"]: applied["published"] for applied in row["corrections"]}
        row["corrected"] = json.dumps(published, ensure_ascii=False) if published else ""
    return rows


def make_spreadsheet_safe(pages: Iterator[Rows]) -> Iterator[Rows]:
    """Put an apostrophe before texts that a spreadsheet program would read as a formula."""
    for page in pages:
        yield [tuple(escape_formula(value) for value in row) for row in page]


def escape_formula(value: Any) -> Any:
    """Return a text that a spreadsheet program would read as a formula with an apostrophe before it."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def write_csv(pages: Iterator[Rows]) -> Iterator[bytes]:
    """Yield CSV with a header line. Values are as published and may begin with any character."""
    yield _format_csv([COLUMNS])
    for page in pages:
        yield _format_csv(page)


def _format_csv(rows: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def write_ndjson(pages: Iterator[Rows]) -> Iterator[bytes]:
    """Yield one JSON object per line."""
    for page in pages:
        lines = [
            json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) for row in page
        ]
        yield ("\n".join(lines) + "\n").encode()


def write_parquet(pages: Iterator[Rows]) -> Iterator[bytes]:
    """Yield a Parquet file with one row group per page. It can be read only when it is complete."""
    buffer = _Buffer()
    with pq.ParquetWriter(buffer, _SCHEMA, compression="zstd") as writer:
        for page in pages:
            columns = zip(*page, strict=True)
            arrays = [pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=_SCHEMA))
            yield buffer.take()
    yield buffer.take()


class _Buffer(io.RawIOBase):
    """A file object that gives away what was written to it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def take(self) -> bytes:
        """Return what was written since the last call."""
        content, self._parts = b"".join(self._parts), []
        return content


# Media type and writer by file name extension.
FORMATS: dict[str, tuple[str, Callable[[Iterator[Rows]], Iterator[bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", write_csv),
    "ndjson": ("application/x-ndjson", write_ndjson),
    "parquet": ("application/vnd.apache.parquet", write_parquet),
}
SPREADSHEET_FORMATS = ("csv",)
