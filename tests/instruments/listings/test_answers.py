"""Answers of SQL Server: typed, where SQLite's are texts and numbers, and read to their end."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from esma_files.models import EsmaFile
from instruments.listings.load import reconciliation
from instruments.listings.load.context import WHOLE, MergeContext
from instruments.models import Register
from instruments.staging.dialect import SqlServerCursor
from tests import tsql


class Typed(tsql.Server):
    """Gives what a server gives: its own columns by their types, staged ones as text."""

    def __init__(self, *answers: list[tuple[Any, ...]]) -> None:
        super().__init__()
        self._answers = list(answers)

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        return self._answers.pop(0) if self._answers else []

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.fetchmany(0)


def test_what_differs_is_told_as_it_was_staged(db: None) -> None:
    moment = dt.datetime(2025, 8, 30, 3, tzinfo=dt.UTC)
    values = {
        "full_name": ("Old", "New"),
        "commodity_derivative": (True, 1),
        "issuer_requested": (False, 1),
        "first_trade_at": (moment, "2025-08-30 03:00:00"),
        "terminated_at": (moment.replace(microsecond=5), "2025-08-30 03:00:00"),
        "maturity_date": (dt.date(2030, 1, 1), "2030-01-01"),
        "fixed_rate": (Decimal("554.00000000000000000"), "554.0"),
        "strike_amount": (Decimal("0.10000000000000000"), None),
    }
    counts = [int(column in values) for column in reconciliation._COMPARED]
    ordered = [v for column in reconciliation._COMPARED for v in values.get(column, ())]
    with tsql.connected() as (connection, _):
        connection.connection = Typed([(1, *counts)], [("SE0000115446", "XSTO", *ordered)])
        merge = MergeContext(
            cursor=SqlServerCursor(connection.cursor(), stage="stage_7"),
            file=EsmaFile(),
            register=Register.ESMA,
            slice=WHOLE,
            staged_columns=frozenset(),
            change=1,
            last_listing_id=0,
            last_version_id=0,
        )
        differences = reconciliation.compare(merge)

    [(_, _, changes)] = differences.examples
    assert changes == {
        "full_name": {"old": "Old", "new": "New"},
        "issuer_requested": {"old": 0, "new": 1},
        "terminated_at": {"old": "2025-08-30 03:00:00.000005", "new": "2025-08-30 03:00:00"},
        "strike_amount": {"old": "0.1", "new": None},
    }


class Counting(tsql.Server):
    """Has rows, and knows whether they have been read to the end."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.left = list(range(rows))
        self.at_end = False

    def fetchmany(self, size: int) -> list[tuple[int]]:
        some, self.left = self.left[:size], self.left[size:]
        self.at_end = len(some) < size
        return [(number,) for number in some]

    def fetchall(self) -> list[tuple[int]]:
        return self.fetchmany(len(self.left) + 1)


@pytest.mark.parametrize("rows", [0, 1, 999, 1_000, 2_500])
def test_rows_come_one_by_one_and_no_result_stays_open(rows: int, db: None) -> None:
    with tsql.connected() as (connection, _):
        server = connection.connection = Counting(rows)
        cursor = SqlServerCursor(connection.cursor(), stage="stage_7")
        cursor.execute("SELECT n FROM t")
        first = cursor.fetchone()

        assert first == ((0,) if rows else None)
        assert server.at_end is (rows < 1_000)
        rest = [number for (number,) in iter(cursor.fetchone, None)]
        assert rest == list(range(1, rows))
        assert server.at_end


def test_what_is_left_comes_at_once(db: None) -> None:
    with tsql.connected() as (connection, _):
        connection.connection = Counting(1_500)
        cursor = SqlServerCursor(connection.cursor(), stage="stage_7")
        cursor.execute("SELECT n FROM t")
        cursor.fetchone()

        assert [number for (number,) in cursor.fetchall()] == list(range(1, 1_500))
