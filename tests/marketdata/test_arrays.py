"""Many rows at once: with the types of their columns, whatever is in them."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from mssql_python.constants import ConstantsDDBC as Sql
from mssql_python.constants import SQLTypes

from marketdata.azure_sql.base import DatabaseWrapper
from tests import tsql

MOMENT = dt.datetime(2025, 8, 30, 3, tzinfo=dt.UTC)


class Arrays(tsql.Server):
    """Takes rows, and notes the types that it is told first."""

    def __init__(self) -> None:
        super().__init__()
        self.types: list[tuple[int, int, int]] = []
        self.rows: list[tuple[Any, ...]] = []

    def setinputsizes(self, types: list[tuple[int, int, int]]) -> None:
        assert {number for number, _, _ in types} <= SQLTypes.get_valid_types()
        self.types = types

    def executemany(self, sql: str, rows: Any) -> None:
        self.rows.extend(map(tuple, rows))


@pytest.fixture
def connected(db: None) -> Iterator[tuple[DatabaseWrapper, Arrays]]:
    server = Arrays()
    with tsql.connected() as (connection, _):
        connection.connection = server
        connection._use_python_driver = True
        yield connection, server
        del connection._use_python_driver


@pytest.mark.parametrize(
    ("column", "type_"),
    [
        (["Plain and the longest", "Łódź"], (Sql.SQL_WVARCHAR, 21, 0)),
        (["🎥🎥", "abc"], (Sql.SQL_WVARCHAR, 4, 0)),
        ([None, ""], (Sql.SQL_WVARCHAR, 1, 0)),
        ([None, None], (Sql.SQL_WVARCHAR, 1, 0)),
        ([None, 3], (Sql.SQL_BIGINT, 19, 0)),
        ([True, None], (Sql.SQL_BIT, 1, 0)),
        ([0.5, None], (Sql.SQL_DOUBLE, 15, 0)),
        ([MOMENT, None], (Sql.SQL_DATETIMEOFFSET, 34, 7)),
        ([MOMENT.date(), None], (Sql.SQL_TYPE_DATE, 10, 0)),
        ([Decimal("1E+3"), Decimal("0.125")], (Sql.SQL_DECIMAL, 38, 3)),
        ([b"", b"123"], (Sql.SQL_VARBINARY, 3, 0)),
    ],
)
def test_a_column_goes_with_its_type(
    connected: tuple[DatabaseWrapper, Arrays], column: list[Any], type_: tuple[Any, int, int]
) -> None:
    connection, server = connected

    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO t (a, b) VALUES (%s, %s)", [(n, 1) for n in column])

    assert server.types == [(type_[0].value, *type_[1:]), (Sql.SQL_BIGINT.value, 19, 0)]
    assert server.rows == [(value, 1) for value in column]


@pytest.mark.parametrize("long", ["x" * 4001, "🎥" * 2001, b"x" * 8001])
def test_what_is_too_long_for_an_array_goes_row_by_row(
    connected: tuple[DatabaseWrapper, Arrays], long: str | bytes
) -> None:
    connection, server = connected

    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO t (a) VALUES (%s)", [("ä",), (long,)])

    assert server.statements == [("INSERT INTO t (a) VALUES (?)", (v,)) for v in ("ä", long)]
    assert server.rows == []


def test_a_moment_keeps_its_zone_by_pyodbc(db: None) -> None:
    server = Arrays()
    with tsql.connected() as (connection, _):
        connection.connection = server
        with connection.cursor() as cursor:
            rows = [(1, MOMENT, MOMENT.date()), (2, None, None)]
            cursor.executemany("INSERT INTO t (a, b, c) VALUES (%s, %s, %s)", rows)

    assert server.rows == [(1, "2025-08-30 03:00:00+00:00", MOMENT.date()), (2, None, None)]
    assert server.types == []
