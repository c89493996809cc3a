"""Tables as CSV and XLSX files: read with limits, and written with texts only."""

import contextlib
import csv
import datetime as dt
import io
import itertools
import re
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any

import openpyxl
import xlsxwriter

from marketdata.common.errors import InvalidQuery
from marketdata.common.named_files import NOT_UTF_8

MAX_BYTES = 700_000  # of a file
MAX_ROWS = 1_000
_MAX_COLUMNS = 50
_MAX_CELL = 5_000  # letters
_MAX_UNPACKED = 20_000_000  # bytes of all parts of an XLSX file
_MAX_PARTS = 100
# Tags of a part: openpyxl makes objects of up to a kilobyte of each, before any row is read. Sheets and their
# texts have up to six for each cell.
_MAX_TAGS, _MAX_TAGS_OF_CELLS = 50_000, 500_000
_CELLS = ("xl/worksheets/", "xl/sharedStrings.xml")
_MOST_READ_COLUMNS = 702  # A to ZZ: cells without a value may be anywhere among them
_FAR_CELL = re.compile(rb"""\br\s*=\s*["']([A-Za-z]{3,9})[0-9]{1,9}["']""")
# XLSX parts are XML in UTF-8. Spreadsheets have no use for definitions of types or entities.
_REFUSED_XML = (b"<!DOCTYPE", b"<!ENTITY", b"\xff\xfe", b"\xfe\xff")
FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
Rows = list[dict[str, str]]


def read_table(content: bytes, *, name: str) -> Rows:
    """Return the rows of a CSV or XLSX file as texts by the names of the columns. Raises InvalidQuery.

    An XLSX file is known by its first bytes, and its first sheet is read.
    """
    if len(content) > MAX_BYTES:
        raise InvalidQuery("file", f"{name} has {len(content):,} bytes, more than {MAX_BYTES:,}.")
    try:
        table = _read_xlsx(content) if content[:2] == b"PK" else _read_csv(content)
    except (ValueError, KeyError, csv.Error, zipfile.BadZipFile, OSError, EOFError) as error:
        is_text = isinstance(error, UnicodeDecodeError)
        problem = f": {NOT_UTF_8}" if is_text else f" cannot be read: {error}."
        raise InvalidQuery("file", f"{name}{problem}") from error
    if not table:
        raise InvalidQuery("file", f"{name} has no row.")
    header = _read_header(table[0], name=name)
    rows: Rows = []
    for values in table[1:]:
        if any(text.strip() for text in values[len(header) :]):
            raise InvalidQuery(
                "file", f"{name}: row {len(rows) + 1} has more cells than the first row."
            )
        cells = values[: len(header)]
        if any(text.strip() for text in cells):
            rows.append(dict(itertools.zip_longest(header, cells, fillvalue="")))
    if not rows:
        raise InvalidQuery("file", f"{name} has no row below the names of the columns.")
    return rows


def _read_header(cells: Sequence[str], *, name: str) -> list[str]:
    """Return the names of the columns, without empty cells at the end. Raises InvalidQuery."""
    header = [text.strip().lower() for text in cells]
    while header and not header[-1]:
        header.pop()
    if not all(header) or len(set(header)) < len(header):
        raise InvalidQuery("file", f"{name}: each column needs a name of its own in the first row.")
    return header


def _check_size(rows: Iterable[Sequence[Any]]) -> list[list[str]]:
    """Return rows as texts. Raises ValueError if they are too many or too long."""
    table: list[list[str]] = []
    for row in rows:
        texts = [_to_text(value) for value in row]
        if len(table) > MAX_ROWS:
            raise ValueError(f"it has more than {MAX_ROWS:,} rows")
        if len(texts) > _MAX_COLUMNS and any(texts[_MAX_COLUMNS:]):
            raise ValueError(f"it has more than {_MAX_COLUMNS} columns")
        if any(len(text) > _MAX_CELL for text in texts):
            raise ValueError(f"row {len(table)} has a cell of more than {_MAX_CELL:,} letters")
        table.append(texts[:_MAX_COLUMNS])
    return table


def _to_text(value: Any) -> str:
    """Return a cell as a text; a number without a fraction and a day without a time as such."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dt.datetime) and value.time() == dt.time.min:
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _read_csv(content: bytes) -> list[list[str]]:
    text = content.decode("utf-8-sig")
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    return _check_size(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def _read_xlsx(content: bytes) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        unpacked = sum(part.file_size for part in parts)
        if len(parts) > _MAX_PARTS or unpacked > _MAX_UNPACKED:
            raise ValueError(
                f"it unpacks to {len(parts):,} parts with {unpacked:,} bytes, of which"
                f" {_MAX_PARTS} and {_MAX_UNPACKED:,} are allowed"
            )
        for part in parts:
            with archive.open(part) as file:
                # A part that is longer than the directory says is not read any further.
                xml = file.read(part.file_size + 1)
            if len(xml) > part.file_size or any(mark in xml for mark in _REFUSED_XML):
                raise ValueError(f"its part {part.filename!r} is not that of a spreadsheet")
            most = _MAX_TAGS_OF_CELLS if part.filename.startswith(_CELLS) else _MAX_TAGS
            if (tags := xml.count(b"<")) > most:
                raise ValueError(
                    f"its part {part.filename!r} has {tags:,} tags, more than {most:,}"
                )
            if far := _FAR_CELL.search(xml):
                raise ValueError(f"it has a cell in column {far[1].decode()}")
    try:
        return _read_first_sheet(content)
    except ValueError:
        raise
    except (
        Exception
    ) as error:  # openpyxl has errors of every kind for XML that Excel would not write
        raise ValueError(f"it is not a spreadsheet ({type(error).__name__}: {error})") from error


def _read_first_sheet(content: bytes) -> list[list[str]]:
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    with contextlib.closing(book):
        # A file of 5 KB may have its only cell in row 1,048,576: rows in between are made up to the first
        # one that is too many.
        if not book.worksheets:
            raise ValueError("it has no sheet with cells")
        sheet = book.worksheets[0]
        rows = sheet.iter_rows(max_row=MAX_ROWS + 2, max_col=_MOST_READ_COLUMNS, values_only=True)
        return _check_size(rows)


def write_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, format_: str) -> bytes:
    """Return a table as a CSV or XLSX file. All cells are texts, so that nothing is a formula in XLSX."""
    if format_ == "csv":
        out = io.StringIO()
        csv.writer(out).writerows([columns, *rows])
        return out.getvalue().encode("utf-8-sig")
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as workbook:
        sheet = workbook.add_worksheet()
        bold = workbook.add_format({"bold": True})
        for column, name in enumerate(columns):
            sheet.write_string(0, column, name, bold)
        for number, row in enumerate(rows, start=1):
            for column, text in enumerate(row):
                sheet.write_string(number, column, text)
        sheet.freeze_panes(1, 0)
    return content.getvalue()
