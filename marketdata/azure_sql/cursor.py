"""What is sent to SQL Server, and as which types."""

import datetime as dt
import decimal
from collections.abc import Iterable, Sequence
from typing import Any

import mssql.base
from mssql_python.constants import ConstantsDDBC as Sql

_LONGEST = 4000  # units of a text in an array, and twice as many bytes of a binary value
_TYPES: tuple[tuple[type, tuple[int, int, int]], ...] = (
    (bool, (Sql.SQL_BIT.value, 1, 0)),
    (int, (Sql.SQL_BIGINT.value, 19, 0)),
    (float, (Sql.SQL_DOUBLE.value, 15, 0)),
    (dt.datetime, (Sql.SQL_DATETIMEOFFSET.value, 34, 7)),
    (dt.date, (Sql.SQL_TYPE_DATE.value, 10, 0)),
)


class Cursor(mssql.base.CursorWrapper):  # type: ignore[misc]  # untyped
    def executemany(self, sql: str, params_list: Iterable[Sequence[Any]] = ()) -> Any:
        """With the types of the columns, for mssql-python: it would take that of texts from the longest.

        Where that is plain ASCII, all would go as varchar, without the letters that the code page of the
        database lacks: Č, ł, Greek. For pyodbc with times as text: it leaves the zone of a datetime out,
        and what an array has is then taken for the time of this machine's zone.
        """
        rows = list(params_list)
        if not self.connection._use_python_driver:
            return super().executemany(sql, [tuple(map(_with_its_zone, row)) for row in rows])
        if not rows:
            return None
        columns = list(zip(*rows, strict=True))
        if any(_is_long(value) for column in columns for value in column):
            for row in rows:  # each value has a type of its own then
                self.execute(sql, row)
            return None
        self.cursor.setinputsizes([_type(column) for column in columns])
        return super().executemany(sql, rows)

    def _as_sql_type(self, kind: type, value: Any) -> str:
        """The type of a variable: mssql-django declares one for each parameter of a GROUP BY.

        It counts letters, where the server counts units of UTF-16, leaves out the digits after a point,
        the zone of a time and all bytes but one: the server then cuts or rounds without a word.
        """
        if isinstance(value, str) and _units(value) > len(value):
            return f"NVARCHAR({_units(value) if _units(value) <= _LONGEST else 'max'})"
        if isinstance(value, decimal.Decimal):
            return f"DECIMAL(38, {_places([value])})"
        if isinstance(value, dt.datetime) and value.tzinfo:
            return "DATETIMEOFFSET"
        if isinstance(value, bytes | bytearray):
            return "VARBINARY(max)"
        return str(super()._as_sql_type(kind, value))


def _with_its_zone(value: Any) -> Any:
    return value.isoformat(" ") if isinstance(value, dt.datetime) and value.tzinfo else value


def _is_long(value: Any) -> bool:
    if isinstance(value, str):
        return _units(value) > _LONGEST
    return isinstance(value, bytes | bytearray) and len(value) > 2 * _LONGEST


def _units(text: str) -> int:
    """A letter beyond the first 65,536 is two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _places(values: Sequence[decimal.Decimal]) -> int:
    """How many digits they have after the point."""
    return max(0, *(-int(value.as_tuple().exponent) for value in values))


def _type(column: Sequence[Any]) -> tuple[int, int, int]:
    """The type of a column's values: its number in ODBC, size, and digits after the point."""
    there = [value for value in column if value is not None]
    first = there[0] if there else ""
    for kind, said in _TYPES:
        if isinstance(first, kind):
            return said
    if isinstance(first, decimal.Decimal):
        return Sql.SQL_DECIMAL.value, 38, _places(there)
    if isinstance(first, bytes | bytearray):
        return Sql.SQL_VARBINARY.value, max(1, *map(len, there)), 0
    return Sql.SQL_WVARCHAR.value, max(1, *map(_units, there)) if there else 1, 0
