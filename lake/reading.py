"""Rows of the database as Arrow tables, all of them from one state of the database."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Protocol, cast

import pyarrow as pa
import pyarrow.compute as pc
from django.db import OperationalError, connection, models, transaction

from lake.tables import LakeTable

_PROCESS = Path(__file__).with_name("sqlite_process.py")

# Keys of one query: SQL Server takes 2,100 parameters.
_KEYS = 900
_KEYS_OF_SQLITE = 20_000
_MOST_ROWS = 10_000_000

Answer = Callable[[], pa.Table]


class Reader(Protocol):
    """Reads queries of Django from one state of the database."""

    def ask(self, query: "models.QuerySet[Any, Any]", schema: pa.Schema, rows: int) -> Answer:
        """Begin to read a query of at most so many rows, with the columns of `schema`.

        Return a function that waits for its rows. It is called before the next query is asked.
        """


def read(reader: Reader, query: "models.QuerySet[Any, Any]", schema: pa.Schema, rows: int) -> Any:
    """Return the rows of a query of at most so many rows."""
    return reader.ask(query, schema, rows)()


@contextlib.contextmanager
def snapshot() -> Iterator[Reader]:
    """Give a reader that sees the database as it is now, whatever is loaded meanwhile.

    On SQLite, what is written meanwhile stays in the write-ahead log until the end. SQL Server needs
    ALLOW_SNAPSHOT_ISOLATION, which Azure SQL always has.
    """
    if connection.vendor == "sqlite":
        with _start_process(str(connection.settings_dict["NAME"])) as reader:
            yield reader
        return
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
    try:
        with transaction.atomic():
            yield DjangoReader()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


@contextlib.contextmanager
def _start_process(path: str) -> Iterator["SqliteReader"]:
    command = [sys.executable, str(_PROCESS), path]
    with subprocess.Popen(  # noqa: S603  # our own script
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield SqliteReader(cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout))
        finally:
            process.kill()


class SqliteReader:
    """Reads by ADBC: columns of a SQLite file, without a Python object for each value."""

    def __init__(self, questions: IO[bytes], answers: IO[bytes]) -> None:
        self._questions, self._answers = questions, answers

    def ask(self, query: "models.QuerySet[Any, Any]", schema: pa.Schema, rows: int) -> Answer:
        sql, parameters = query.query.sql_with_params()
        question = {"sql": sql.replace("%s", "?"), "parameters": parameters, "rows": rows}
        self._questions.write(json.dumps(question).encode() + b"\n")
        self._questions.flush()
        return lambda: self._receive(schema)

    def _receive(self, schema: pa.Schema) -> pa.Table:
        try:
            answer = pa.ipc.open_stream(self._answers).read_all()
        except pa.ArrowInvalid as error:
            raise OperationalError("The process that reads the database has ended.") from error
        if answer.column_names == ["error"]:
            raise OperationalError(answer.column(0)[0].as_py())
        columns = zip(answer.combine_chunks().columns, schema, strict=True)
        return pa.table([_cast(column, field.type) for column, field in columns], schema=schema)


class DjangoReader:
    """Reads by Django, from any database."""

    def ask(self, query: "models.QuerySet[Any, Any]", schema: pa.Schema, rows: int) -> Answer:
        return lambda: self._read(query, schema)

    def _read(self, query: "models.QuerySet[Any, Any]", schema: pa.Schema) -> pa.Table:
        columns = list(zip(*query, strict=True)) or [() for _ in schema]
        arrays = [
            pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)
        ]
        return pa.table(arrays, schema=schema)


def _cast(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    """Convert a column from the type that SQLite stores."""
    if column.type == type_:
        return column
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column), type_)])
    if pa.types.is_timestamp(type_):
        return pc.assume_timezone(column.cast(pa.timestamp("us")), "UTC")
    return column.cast(type_)


def read_slices(
    reader: Reader, table: LakeTable, start: str, stop: str | None, *, is_new: bool
) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows between two values of the key in slices, with the value that each begins at.

    All rows of one value of the key are in one slice. The first begins at `start`, and may be empty. A slice
    that is not new may grow to twice its size before it is cut, so that few of them change.
    """
    most = table.slice_rows * (1 if is_new else 2)

    def ask(begin: str) -> Answer:
        return reader.ask(table.query(begin, stop)[: most + 1], table.schema, most + 1)

    answer = ask(start)
    while True:
        rows = answer()
        if len(rows) <= most:
            yield start, rows
            return
        keys = rows.column(table.key_column)
        length = _find_first(keys, table.slice_rows) or _find_first(keys, most)
        if not length:  # a value with more rows than that
            most *= 2
            answer = ask(start)
            continue
        begin = keys[length].as_py()
        answer = ask(begin)  # is read while this slice is written
        yield start, rows.slice(0, length)
        start = begin


def read_keys(
    reader: Reader, table: LakeTable, keys: Sequence[str]
) -> Iterator[tuple[Sequence[str], pa.Table]]:
    """Yield the rows of some values of the key, with the values. The next ones are read meanwhile."""
    most = _KEYS_OF_SQLITE if connection.vendor == "sqlite" else _KEYS
    parts = [keys[start : start + most] for start in range(0, len(keys), most)]
    answers = (reader.ask(table.query_keys(part), table.schema, _MOST_ROWS) for part in parts)
    answer = next(answers, None)
    for part in parts:
        rows = answer() if answer else None
        answer = next(answers, None)
        yield part, rows


def _find_first(keys: pa.ChunkedArray, place: int) -> int:
    """Return the place of the first key that equals the one at a place."""
    return int(pc.index(keys, keys[place]).as_py())
