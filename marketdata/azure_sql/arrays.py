"""Many rows in one statement: of which types the driver is to send their columns."""

import datetime as dt
import decimal
from collections.abc import Sequence
from typing import Any

from mssql_python.constants import ConstantsDDBC as Odbc

Size = tuple[int, int, int]  # the type, and its length or precision, and its scale
_NUMBERS = {bool: Odbc.SQL_BIGINT, int: Odbc.SQL_BIGINT, float: Odbc.SQL_DOUBLE}
_LONGEST = {Odbc.SQL_WVARCHAR.value: 4_000, Odbc.SQL_VARBINARY.value: 8_000}
_DIGITS, _PLACES = 38, 17  # what decimals here have at most


def sizes(rows: Sequence[Sequence[Any]]) -> list[Size] | None:
    """What `setinputsizes` is to be told of rows to be written; None where the driver finds out by itself.

    mssql_python decides by the longest text of a column whether all of them are sent as nvarchar: where
    that has no letter beyond ASCII, `Č` arrives as `C`, and Greek as question marks. Rows with longer
    texts or bytes than fit into an array it sends one by one, each value by itself. Raises TypeError for
    a column of values of several kinds.
    """
    columns = [
        [value for value in column if value is not None] for column in zip(*rows, strict=True)
    ]
    texts = [value for column in columns for value in column if isinstance(value, str)]
    if all(text.isascii() for text in texts):
        return None
    found = [_size(column) for column in columns]
    return None if any(size > _LONGEST.get(type_, size) for type_, size, _ in found) else found


def _size(values: list[Any]) -> Size:
    kinds = {type(value) for value in values} or {str}
    if kinds <= {int, bool}:
        kinds = {int}
    if len(kinds) > 1:
        raise TypeError(f"a column of {', '.join(sorted(kind.__name__ for kind in kinds))}")
    [kind] = kinds
    if kind is str:
        longest = max((len(value.encode("utf-16-le")) // 2 for value in values), default=1)
        return Odbc.SQL_WVARCHAR.value, max(longest, 1), 0
    if kind is decimal.Decimal:
        return Odbc.SQL_DECIMAL.value, _DIGITS, _PLACES
    if kind is dt.datetime:
        aware = values[0].tzinfo is not None
        return (Odbc.SQL_DATETIMEOFFSET if aware else Odbc.SQL_TYPE_TIMESTAMP).value, 34, 7
    if kind is dt.date:
        return Odbc.SQL_TYPE_DATE.value, 10, 0
    if kind in (bytes, bytearray):
        return Odbc.SQL_VARBINARY.value, max(1, *map(len, values)), 0
    return _NUMBERS[kind].value, 0, 0
