"""Processes that read a SQLite file by ADBC, all of them the same state of it."""

import contextlib
import dataclasses
import itertools
import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
from django.db import OperationalError, models

from lake.columns import cast as cast_column

_PROCESS = Path(__file__).with_name("sqlite_process.py")
# One is busy for longer than the process that writes files; two of them leave it little time to wait.
_PROCESSES = min(2, os.cpu_count() or 1)
_LOCK_SECONDS = 10.0

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of a query as they were received: the next ones can be asked for before these are converted."""

    received: pa.Table
    schema: pa.Schema

    def convert(self) -> pa.Table:
        """Return the rows with the types of the lake."""
        rows = self.received
        if rows.schema.equals(self.schema, check_metadata=True):
            return rows
        columns = zip(rows.combine_chunks().columns, self.schema, strict=True)
        converted = [cast_column(column, field.type) for column, field in columns]
        return pa.table(converted, schema=self.schema)


# Waits for the rows of a query.
Answer = Callable[[], Rows]


@contextlib.contextmanager
def started(
    path: str, *, processes: int = _PROCESSES, lock_seconds: float = _LOCK_SECONDS
) -> Iterator["SqliteReaders"]:
    """Give readers of a SQLite file, which see it as it is now, whatever is loaded meanwhile.

    To begin together, they wait at most so many seconds for a load to end its transaction.
    """
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(_start_process(path)) for _ in range(processes)]
        yield SqliteReaders(_begin_together(path, readers, lock_seconds))


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


def _begin_together(
    path: str, readers: list["SqliteReader"], lock_seconds: float
) -> list["SqliteReader"]:
    """Let the readers begin at one state; return those that have: the first alone if a load is in the way.

    While somebody may write, nobody else may. So nothing is written between the beginnings.
    """
    for answer in [reader.execute("SELECT 1") for reader in readers]:  # they have started
        answer()
    try:
        with contextlib.closing(
            sqlite3.connect(path, timeout=lock_seconds, isolation_level=None)
        ) as own:
            own.execute("BEGIN IMMEDIATE")
            for answer in [
                reader.execute("SELECT count(*) FROM sqlite_master") for reader in readers
            ]:
                answer()
            own.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        logger.info("One process reads %s, not %s: %s", path, len(readers), error)
        return readers[:1]
    return readers


class SqliteReader:
    """Reads by ADBC: columns of a SQLite file, without a Python object for each value."""

    def __init__(self, questions: IO[bytes], answers: IO[bytes]) -> None:
        self._questions, self._answers = questions, answers

    def ask(self, query: "models.QuerySet[Any, Any]", schema: pa.Schema, rows: int) -> Answer:
        sql, parameters = query.query.sql_with_params()
        answer = self.execute(sql.replace("%s", "?"), parameters, rows)
        return lambda: Rows(answer(), schema)

    def execute(
        self, sql: str, parameters: Sequence[Any] = (), rows: int = 1
    ) -> Callable[[], pa.Table]:
        """Begin to execute a statement; its answer is read before the next one is sent."""
        question = {"sql": sql, "parameters": parameters, "rows": rows}
        self._questions.write(json.dumps(question).encode() + b"\n")
        self._questions.flush()
        return self._receive

    def _receive(self) -> pa.Table:
        try:
            answer = pa.ipc.open_stream(self._answers).read_all()
        except pa.ArrowInvalid as error:
            raise OperationalError("The process that reads the database has ended.") from error
        if answer.column_names == ["error"]:
            raise OperationalError(answer.column(0)[0].as_py())
        return answer


class SqliteReaders:
    """Asks several readers in turn."""

    reads_packs = True

    def __init__(self, readers: Sequence[SqliteReader]) -> None:
        self.at_a_time = len(readers)
        self._next = itertools.cycle(readers)

    def ask(self, query: "models.QuerySet[Any, Any]", schema: pa.Schema, rows: int) -> Answer:
        return next(self._next).ask(query, schema, rows)

    def execute(self, sql: str) -> Callable[[], pa.Table]:
        return next(self._next).execute(sql)
