"""The files of an export: CSV, JSON, NDJSON, XML, Parquet and XLSX, written in parts."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from xml.sax.saxutils import escape

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from instruments.listings.export import DEFAULT, Layout, Rows
from instruments.listings.workbook import write_xlsx
from marketdata.common.plain import to_plain

# The first characters of a cell that spreadsheet programs read as a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
SPREADSHEET_FORMATS = ("csv",)
# Characters that no XML document may have.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def make_spreadsheet_safe(pages: Iterator[Rows]) -> Iterator[Rows]:
    """Put an apostrophe before texts that a spreadsheet program would read as a formula."""
    for page in pages:
        yield [tuple(escape_formula(value) for value in row) for row in page]


def escape_formula(value: Any) -> Any:
    """Return a text that a spreadsheet program would read as a formula with an apostrophe before it."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def write_csv(pages: Iterator[Rows], layout: Layout = DEFAULT) -> Iterator[bytes]:
    """Yield CSV with a header line. Values are as published and may begin with any character."""
    yield _format_csv([layout.columns])
    for page in pages:
        yield _format_csv([[_format(value) for value in row] for row in page])


def _format(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return to_plain(value)


def _format_csv(rows: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def format_row(values: Sequence[Any]) -> str:
    """Return a line of CSV."""
    text = io.StringIO(newline="")
    csv.writer(text).writerow(values)
    return text.getvalue()


def name_values(rows: Rows, layout: Layout) -> list[dict[str, Any]]:
    """Return rows as plain values by column."""
    return [dict(zip(layout.columns, map(to_plain, row), strict=True)) for row in rows]


def write_ndjson(pages: Iterator[Rows], layout: Layout = DEFAULT) -> Iterator[bytes]:
    """Yield one JSON object per line."""
    for page in pages:
        lines = [orjson.dumps(fields) for fields in name_values(page, layout)]
        yield b"\n".join([*lines, b""])


def write_json(pages: Iterator[Rows], layout: Layout = DEFAULT) -> Iterator[bytes]:
    """Yield one JSON array of objects, one per line."""
    before = b"[\n"
    for page in pages:
        lines = []
        for fields in name_values(page, layout):
            lines.append(before + orjson.dumps(fields))
            before = b",\n"
        yield b"".join(lines)
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def write_xml(pages: Iterator[Rows], layout: Layout = DEFAULT) -> Iterator[bytes]:
    """Yield XML: an element for each row in `<rows>`, with an element for each column, empty if absent."""
    tag = layout.rows.removesuffix("s")
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<{layout.rows}>\n'.encode()
    for page in pages:
        lines = []
        for row in page:
            named = zip(layout.columns, row, strict=True)
            cells = "".join(_format_element(name, value) for name, value in named)
            lines.append(f"<{tag}>{cells}</{tag}>\n")
        yield "".join(lines).encode()
    yield f"</{layout.rows}>\n".encode()


def _format_element(name: str, value: Any) -> str:
    plain = _format(value)
    if plain is None or plain == "":
        return f"<{name}/>"
    return f"<{name}>{escape(_NOT_XML.sub(_REPLACEMENT, str(plain)))}</{name}>"


def write_parquet(pages: Iterator[Rows], layout: Layout = DEFAULT) -> Iterator[bytes]:
    """Yield a Parquet file with one row group per page. It can be read only when it is complete."""
    buffer, schema = _Buffer(), layout.schema
    with pq.ParquetWriter(buffer, schema, compression="zstd") as writer:
        for page in pages:
            columns = zip(*page, strict=True) if page else ((),) * len(schema)
            arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
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
FORMATS: dict[str, tuple[str, Callable[[Iterator[Rows], Layout], Iterator[bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", write_csv),
    "json": ("application/json", write_json),
    "ndjson": ("application/x-ndjson", write_ndjson),
    "xml": ("text/xml; charset=utf-8", write_xml),
    "parquet": ("application/vnd.apache.parquet", write_parquet),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", write_xlsx),
}
MEDIA_TYPES = {name: media for name, (media, _) in FORMATS.items()}
