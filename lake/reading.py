"""Rows of the database as Arrow tables, all of them from one state of the database."""

import contextlib
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from django.db import connection, models, transaction

from lake import sqlite_readers
from lake.sqlite_readers import Answer, Rows
from lake.tables import LakeTable

# Keys of one query: SQL Server takes 2,100 parameters.
_KEYS = 900
_KEYS_OF_SQLITE = 20_000
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
        return Rows([pa.table(arrays, schema=schema)], schema)


def read_slices(
    reader: Reader, table: LakeTable, start: str, stop: str | None, *, is_new: bool
) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows between two values of the key in slices, with the value that each begins at.

    All rows of one value of the key are in one slice. The first begins at `start`, and may be empty. A slice
    that is not new may grow to twice its size before it is cut, so that few of them change.
    """
    most = table.slice_rows * (1 if is_new else 2)

    def ask(begin: str) -> Answer:
        return _ask_halves(reader, table, begin, stop, most + 1)

    answer = ask(start)
    while True:
        rows = answer()
        if len(rows) <= most:
            yield start, _convert(table, rows)
            return
        keys = rows.get_texts(table.key_column)
        length = _find_first(keys, table.slice_rows) or _find_first(keys, most)
        if not length:  # a value with more rows than that
            most *= 2
            answer = ask(start)
            continue
        begin = keys[length].as_py()
        answer = ask(begin)  # is read while this slice is written
        yield start, _convert(table, rows).slice(0, length)
        start = begin


def _ask_halves(
    reader: Reader, table: LakeTable, start: str, stop: str | None, most: int
) -> Answer:
    """Begin to read at most so many rows, by two processes if the reader has them."""
    first, schema = 0, table.packs.schema if reader.reads_packs else table.schema

    def query(begin: str, end: str | None) -> "models.QuerySet[Any, Any]":
        return table.query(begin, end, packed=reader.reads_packs)

    if reader.at_a_time > 1:
        half = most // 2
        keys = read(reader, table.query_key(start, stop)[: half + 1], table.key_schema, half + 1)
        keys = keys.column(0)
        first = _find_first(keys, half) if len(keys) > half else 0
    if not first:
        return reader.ask(query(start, stop)[:most], schema, most)
    middle, rest = keys[first].as_py(), most - first
    answers = [
        reader.ask(query(start, middle), schema, first),
        reader.ask(query(middle, stop)[:rest], schema, rest),
    ]
    return lambda: Rows([part for answer in answers for part in answer().parts], schema)


def read_keys(
    reader: Reader, table: LakeTable, keys: Sequence[str]
) -> Iterator[tuple[Sequence[str], pa.Table]]:
    """Yield the rows of some values of the key, with the values. The next ones are read meanwhile."""
    most = _KEYS_OF_SQLITE if connection.vendor == "sqlite" else _KEYS
    parts = (keys[start : start + most] for start in range(0, len(keys), most))
    packed = reader.reads_packs
    schema = table.packs.schema if packed else table.schema
    asked = (
        (part, reader.ask(table.query_keys(part, packed=packed), schema, _MOST_ROWS))
        for part in parts
    )
    waiting = deque(itertools.islice(asked, reader.at_a_time))
    while waiting:
        part, answer = waiting.popleft()
        rows = answer()
        waiting.extend(itertools.islice(asked, 1))
        yield part, _convert(table, rows)


def _find_first(keys: pa.ChunkedArray, place: int) -> int:
    """Return the place of the first key that equals the one at a place."""
    return int(pc.index(keys, keys[place]).as_py())


def _convert(table: LakeTable, rows: Rows) -> pa.Table:
    """Return rows with the columns and types of the table."""
    return table.packs.unpack(rows.convert(), table.schema)
