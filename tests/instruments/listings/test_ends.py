"""The last day on which a listing is active: of a staged record by Arrow, of a listing by SQL."""

import contextlib
import itertools
import sqlite3

import pyarrow as pa
import pytest

from instruments.listings.load import ends

_DAYS = (None, "1858-11-17", "1900-01-01", "2025-03-04", "2026-01-01", "2900-01-01", "9999-12-31")
_TIMES = (None, "1858-11-17 00:00:00", "2025-03-04 23:59:59", "2026-01-01 00:00:00.000001")
_ROWS = list(itertools.product(_TIMES, _DAYS, _DAYS))
_COLUMNS = ("terminated_at", "expiry_date", "maturity_date")


def _find_by_sql(status: str) -> list[str]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE record (status, {', '.join(_COLUMNS)})")
        rows = [(status, *row) for row in _ROWS]
        connection.executemany("INSERT INTO record VALUES (?, ?, ?, ?)", rows)
        query = f"SELECT {ends.active_until('s')} FROM record s ORDER BY rowid"
        return [day for (day,) in connection.execute(query)]


@pytest.mark.parametrize("status", ["active", "terminated", "cancelled"])
def test_staged_records_get_the_day_that_their_listings_get(status: str) -> None:
    columns = {
        name: pa.array(values, pa.string())
        for name, values in zip(_COLUMNS, zip(*_ROWS, strict=True), strict=True)
    }

    days = ends.find_active_until(columns, len(_ROWS), is_active=status == "active")

    assert days.to_pylist() == _find_by_sql(status)


def test_the_earliest_day_that_is_no_placeholder_counts() -> None:
    columns = {
        "expiry_date": pa.array(["2025-03-04", "1858-11-17", None, "9999-12-31"]),
        "maturity_date": pa.array(["2025-01-01", "2025-01-01", None, None]),
    }

    days = ends.find_active_until(columns, 4, is_active=True)

    assert days.to_pylist() == ["2025-01-01", "2025-01-01", "9999-12-31", "9999-12-31"]


def test_records_without_any_of_the_days_do_not_end() -> None:
    assert ends.find_active_until({}, 2, is_active=True).to_pylist() == ["9999-12-31"] * 2
