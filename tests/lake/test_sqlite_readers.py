"""Processes read a SQLite file at the same state, whatever is written meanwhile."""

import datetime as dt
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from django.db import OperationalError

from lake import sqlite_readers

_COUNT = "SELECT count(*) FROM numbers"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.sqlite3"
    with closing(sqlite3.connect(path)) as own:
        own.execute("PRAGMA journal_mode=WAL")
        own.execute("CREATE TABLE numbers (number INTEGER)")
    return path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Insert one row after another in a thread."""
    is_over = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as own:
            while not is_over.wait(0.001):  # SQLite does not let others write in turn
                own.execute("INSERT INTO numbers VALUES (1)")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def count(readers: sqlite_readers.SqliteReaders) -> list[int]:
    """Return the number of rows that each reader sees."""
    answers = [readers.execute(_COUNT) for _ in range(readers.at_a_time)]
    return [answer().column(0)[0].as_py() for answer in answers]


@pytest.mark.slow
def test_all_see_one_state_while_rows_are_written(database: Path) -> None:
    for _ in range(5):
        with (
            writing(database),
            sqlite_readers.started(str(database), processes=2, lock_seconds=60) as readers,
        ):
            first, second = count(readers)
            again = count(readers)

        assert readers.at_a_time == 2
        assert first == second
        assert again == [first, second]


@pytest.mark.slow
def test_one_reads_alone_if_somebody_writes_for_too_long(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as own:
        own.execute("BEGIN IMMEDIATE")
        own.execute("INSERT INTO numbers VALUES (1)")
        with sqlite_readers.started(str(database), processes=2, lock_seconds=0.1) as readers:
            assert readers.at_a_time == 1
            assert count(readers) == [0]


@pytest.mark.slow
def test_an_error_of_a_process_is_raised(database: Path) -> None:
    with (
        sqlite_readers.started(str(database), processes=1) as readers,
        pytest.raises(OperationalError, match="no such table"),
    ):
        readers.execute("SELECT * FROM absent")()


def test_columns_get_the_types_of_the_lake() -> None:
    schema = pa.schema([("day", pa.date32()), ("absent", pa.string())])
    stored = pa.table({"0": ["2025-03-04"], "1": pa.array([None], pa.int64())})

    rows = sqlite_readers.Rows(stored, schema).convert()

    assert rows.schema == schema
    assert rows.to_pylist() == [{"day": dt.date(2025, 3, 4), "absent": None}]
