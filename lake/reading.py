"""Rows of the database as Arrow tables, all of them from one state of the database."""

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import pyarrow as pa
from django.db import connection, models, transaction

from lake import sqlite_readers
from lake.sqlite_readers import Answer, Rows
from lake.tables import Bounds, LakeTable

# Keys of one query: SQL Server takes 2,100 parameters.
_KEYS = 900
_MOST_ROWS = 10_000_000


class Reader(Protocol):
    """Reads queries of Django from one state of the database, `at_a_time` of them at the same time."""

    at_a_time: int
    reads_packs: bool  # whether it takes queries whose sparse columns are packed

    def ask(self, query: "models.QuerySet[Any, Any]", schema: pa.Schema, rows: int) -> Answer:
        """Begin to read a query of at most so many rows, with the columns of `schema`.

        Return a function that waits for its rows. These are called in the order of the queries, and the first
        one before more than `at_a_time` are asked.
        """


def read(reader: Reader, query: "models.QuerySet[Any, Any]", schema: pa.Schema, rows: int) -> Any:
    """Return the rows of a query of at most so many rows."""
    return reader.ask(query, schema, rows)().convert()


@contextlib.contextmanager
def snapshot() -> Iterator[Reader]:
    """Give a reader that sees the database as it is now, whatever is loaded meanwhile.

    On SQLite, what is written meanwhile stays in the write-ahead log until the end. SQL Server needs
    ALLOW_SNAPSHOT_ISOLATION, which Azure SQL always has.
    """
    if connection.vendor == "sqlite":
        with sqlite_readers.started(str(connection.settings_dict["NAME"])) as readers:
            yield readers
        return
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
    try:
        with transaction.atomic():
            yield DjangoReader()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


class DjangoReader:
    """Reads by Django, from any database."""

    at_a_time, reads_packs = 1, False

    def ask(self, query: "models.QuerySet[Any, Any]", schema: pa.Schema, rows: int) -> Answer:
        return lambda: self._read(query, schema)

    def _read(self, query: "models.QuerySet[Any, Any]", schema: pa.Schema) -> Rows:
        columns = list(zip(*query, strict=True)) or [() for _ in schema]
        arrays = [
            pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)
        ]
        return Rows(pa.table(arrays, schema=schema), schema)


def read_slices(
    reader: Reader, table: LakeTable, start: str, stop: str | None, *, is_new: bool
) -> Iterator[tuple[str, Iterator[pa.Table]]]:
    """Yield the value of the key that each slice between two of them begins at, and its rows in batches.

    All rows of one value of the key are in one batch. The first slice begins at `start`, and may be empty. A
    slice that is not new may grow to twice its size before it is cut, so that few of them change.
    """
    bounds = list(_find_batches(reader, table, start, stop))
    length = max(table.slice_rows // table.batch_rows, 1)
    if not is_new and len(bounds) <= 2 * length:
        length = len(bounds)
    batches = _read_ahead(reader, table, (partial(table.query, *between) for between in bounds))
    for first in range(0, len(bounds), length):
        yield bounds[first][0], itertools.islice(batches, min(length, len(bounds) - first))


def _find_batches(
    reader: Reader, table: LakeTable, start: str, stop: str | None
) -> Iterator[Bounds]:
    """Yield the bounds of batches one after another, of which an index of the key is enough to know them."""
    rows = table.batch_rows
    while True:
        keys = table.query_key(start, stop)[rows : rows + 1]
        following = read(reader, keys, table.key_schema, 1).column(0).to_pylist()
        if not following:
            yield start, stop
            return
        if following[0] == start:  # a value with more rows than that
            rows *= 2
            continue
        yield start, following[0]
        start, rows = following[0], table.batch_rows


def read_keys(
    reader: Reader, table: LakeTable, keys: Sequence[str]
) -> Iterator[tuple[Sequence[str], pa.Table]]:
    """Yield the rows of some values of the key, with the values."""
    most = table.keys_at_a_time if connection.vendor == "sqlite" else _KEYS
    parts = [keys[start : start + most] for start in range(0, len(keys), most)]
    yield from zip(
        parts,
        _read_ahead(reader, table, (partial(table.query_keys, part) for part in parts)),
        strict=True,
    )


def _read_ahead(
    reader: Reader, table: LakeTable, queries: Iterable[Callable[..., "models.QuerySet[Any, Any]"]]
) -> Iterator[pa.Table]:
    """Yield the rows of each query. The next ones are read meanwhile."""
    packed = reader.reads_packs
    schema = table.packs.schema if packed else table.schema
    asked = (reader.ask(query(packed=packed), schema, _MOST_ROWS) for query in queries)
    waiting = deque(itertools.islice(asked, reader.at_a_time))
    while waiting:
        rows = waiting.popleft()()
        waiting.extend(itertools.islice(asked, 1))
        yield table.packs.unpack(rows.convert(), table.schema)
