"""Exports as a workbook (XLSX), with days and numbers of the spreadsheet program where it can hold them."""

import contextlib
import datetime as dt
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import xlsxwriter

from instruments.listings.export import DEFAULT, Layout, Rows
from marketdata.common.errors import PermanentError
from marketdata.common.plain import to_plain

# Rows of a sheet, without the line of names.
XLSX_MAX_ROWS = 1_048_575
_PART_BYTES = 1_000_000
# Numbers of spreadsheet programs are binary, with so many digits; days begin in 1900, as no leap year.
_DIGITS = 15
_FIRST_YEAR = 1901
_WIDTHS = {"date": 11, "timestamp": 19, "decimal": 16, "text": 14}  # in characters


class TooManyRows(PermanentError):
    """An export has more rows than a sheet of a spreadsheet program."""


def write_xlsx(pages: Iterator[Rows], layout: Layout = DEFAULT) -> Iterator[bytes]:
    """Yield a workbook of one sheet, when it is complete; nothing is yielded for each page before.

    Texts stay texts, whatever they begin with. Decimals of more digits than a number has there, and days
    before 1901, are texts, too. Raises TooManyRows.
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as file:
        options = {"constant_memory": True, "tmpdir": folder, "strings_to_formulas": False}
        options |= {"strings_to_urls": False, "strings_to_numbers": False}
        with contextlib.closing(xlsxwriter.Workbook(file, options)) as workbook:
            sheet = _Sheet(workbook, layout)
            for page in pages:
                for row in page:
                    sheet.write_row(row)
                yield b""  # each page has a time limit of its own
        file.seek(0)
        while part := file.read(_PART_BYTES):
            yield part


class _Sheet:
    """The sheet of a workbook, and the formats of its cells."""

    def __init__(self, workbook: Any, layout: Layout) -> None:
        self._workbook = workbook
        self._day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        self._time = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._decimals: dict[int, Any] = {}  # by the number of decimal places
        self._sheet = workbook.add_worksheet(layout.rows)
        self._sheet.freeze_panes(1, 0)
        for column, type_ in enumerate(layout.schema.types):
            self._sheet.set_column(column, column, _get_width(type_))
        self._sheet.write_row(0, 0, layout.columns)
        self._line = 0

    def write_row(self, row: tuple[Any, ...]) -> None:
        """Write the next line. Raises TooManyRows."""
        self._line += 1
        if self._line > XLSX_MAX_ROWS:
            raise TooManyRows(f"A sheet has at most {XLSX_MAX_ROWS:,} rows.")
        for column, value in enumerate(row):
            if value is not None and value != "":
                self._write(column, value)

    def _write(self, column: int, value: Any) -> None:
        sheet, line = self._sheet, self._line
        match value:
            case bool():
                sheet.write_boolean(line, column, value)
            case int():
                sheet.write_number(line, column, value)
            case Decimal() if len(value.as_tuple().digits) <= _DIGITS:
                sheet.write_number(line, column, float(value), self._get_decimal(value))
            case dt.datetime() if value.year >= _FIRST_YEAR:
                sheet.write_datetime(line, column, _to_utc(value), self._time)
            case dt.date() if value.year >= _FIRST_YEAR:
                sheet.write_datetime(line, column, value, self._day)
            case _:
                sheet.write_string(line, column, str(to_plain(value)))

    def _get_decimal(self, value: Decimal) -> Any:
        """Return the format that shows the published decimal places."""
        places = max(0, -int(value.as_tuple().exponent))
        if places not in self._decimals:
            form = "0." + "0" * places if places else "0"
            self._decimals[places] = self._workbook.add_format({"num_format": form})
        return self._decimals[places]


def _to_utc(value: dt.datetime) -> dt.datetime:
    """Return a time as cells have it: in UTC, without a time zone."""
    return value.astimezone(dt.UTC).replace(tzinfo=None)


def _get_width(type_: pa.DataType) -> int:
    """Return the width of a column: a number or a day that is wider than its column is shown as ####."""
    if pa.types.is_date(type_):
        return _WIDTHS["date"]
    if pa.types.is_timestamp(type_):
        return _WIDTHS["timestamp"]
    return _WIDTHS["decimal" if pa.types.is_decimal(type_) else "text"]
