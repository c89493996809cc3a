"""The cursor: types of the parameters that are sent to SQL Server."""

import datetime as dt
import decimal
from collections.abc import Iterable, Sequence
from typing import Any

import mssql.base
from mssql_python.constants import ConstantsDDBC as Sql

_MAX_LENGTH = 4000  # UTF-16 units of text in an array; binary values may have twice as many bytes
_TYPES: tuple[tuple[type, tuple[int, int, int]], ...] = (
    (bool, (Sql.SQL_BIT.value, 1, 0)),
    (int, (Sql.SQL_BIGINT.value, 19, 0)),
    (float, (Sql.SQL_DOUBLE.value, 15, 0)),
    (dt.datetime, (Sql.SQL_DATETIMEOFFSET.value, 34, 7)),
    (dt.date, (Sql.SQL_TYPE_DATE.value, 10, 0)),
)


class Cursor(mssql.base.CursorWrapper):  # type: ignore[misc]  # untyped
    def executemany(self, sql: str, params_list: Iterable[Sequence[Any]] = ()) -> Any:
        """Execute a statement for many rows, with explicit types.

        mssql-python derives the type of a text column from its longest value. If that is ASCII, the column is
        sent as varchar and loses letters that the code page of the database lacks (Č, ł, Greek). pyodbc
        drops the time zone of datetimes in an array, so that they are read as local time; it gets them as
        text.
        """
        rows = list(params_list)
        if not self.connection._use_python_driver:
            return super().executemany(sql, [tuple(map(_add_time_zone, row)) for row in rows])
        if not rows:
            return None
        columns = list(zip(*rows, strict=True))
        if any(_is_long(value) for column in columns for value in column):
            for row in rows:  # so that each value has its own type
                self.execute(sql, row)
            return None
        self.cursor.setinputsizes([_find_type(column) for column in columns])
        return super().executemany(sql, rows)

    def _as_sql_type(self, kind: type, value: Any) -> str:
        """Return the type of a variable; mssql-django declares one for each parameter of a GROUP BY.

        Its own types count characters, while the server counts UTF-16 units, and lack decimal places, time
        zones and all bytes but the first. The server would then truncate or round silently.
        """
        if isinstance(value, str) and _utf16_length(value) > len(value):
            return f"NVARCHAR({_utf16_length(value) if _utf16_length(value) <= _MAX_LENGTH else 'max'})"
        if isinstance(value, decimal.Decimal):
            return f"DECIMAL(38, {_decimal_places([value])})"
        if isinstance(value, dt.datetime) and value.tzinfo:
            return "DATETIMEOFFSET"
        if isinstance(value, bytes | bytearray):
            return "VARBINARY(max)"
        return str(super()._as_sql_type(kind, value))


def _add_time_zone(value: Any) -> Any:
    return value.isoformat(" ") if isinstance(value, dt.datetime) and value.tzinfo else value


def _is_long(value: Any) -> bool:
    if isinstance(value, str):
        return _utf16_length(value) > _MAX_LENGTH
    return isinstance(value, bytes | bytearray) and len(value) > 2 * _MAX_LENGTH


def _utf16_length(text: str) -> int:
    """Return the length in UTF-16 units: characters above U+FFFF count as two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _decimal_places(values: Sequence[decimal.Decimal]) -> int:
    """Return the largest number of decimal places among the values."""
    return max(0, *(-int(value.as_tuple().exponent) for value in values))


def _find_type(column: Sequence[Any]) -> tuple[int, int, int]:
    """Return the type of a column's values: its ODBC number, size and decimal places."""
    values = [value for value in column if value is not None]
    first = values[0] if values else ""
    for python_type, sql_type in _TYPES:
        if isinstance(first, python_type):
            return sql_type
    if isinstance(first, decimal.Decimal):
        return Sql.SQL_DECIMAL.value, 38, _decimal_places(values)
    if isinstance(first, bytes | bytearray):
        return Sql.SQL_VARBINARY.value, max(1, *map(len, values)), 0
    return Sql.SQL_WVARCHAR.value, max(1, *map(_utf16_length, values)) if values else 1, 0
