"""A staging file within reach of a merge: `stage.x`, beside the tables and on their connection."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from django.db import Error
from django.db.backends.utils import CursorWrapper

from instruments.staging.dialect import SqlServerCursor
from instruments.staging.staging import Staged
from marketdata.common.errors import RetryableError

# One load merges at a time, as on SQLite, which has one writer. This is SQL Server's lock for what has no
# row; it goes with its connection, should that be lost.
_LOCK = "@Resource = 'marketdata.merge', @LockOwner = 'Session'"
_WAIT = f"""
    SET NOCOUNT ON;
    DECLARE @held int;
    EXEC @held = sp_getapplock {_LOCK}, @LockMode = 'Exclusive', @LockTimeout = 3600000;
    SELECT @held
"""
# A file runs through the ISINs many times over, and is merged in their order: a page of each run.
_CACHE = "PRAGMA stage.cache_size=-16384"
_RELEASE = f"EXEC sp_releaseapplock {_LOCK}"

logger = logging.getLogger(__name__)


class MergeBusy(RetryableError):
    """Another load has been merging for an hour."""


class StagedSource(Protocol):
    """The source of staged records, as a file: tables are named by its key, and logs have its name."""

    @property
    def pk(self) -> int | str: ...

    @property
    def name(self) -> str: ...


@contextmanager
def attached(connection: Any, file: StagedSource, staged: Staged) -> Iterator[CursorWrapper]:
    """A cursor for the merge of `file`, while no other load merges; call it outside a transaction.

    SQLite attaches the staging file. SQL Server is given its tables, for as long as the merge lasts.
    Raises MergeBusy.
    """
    connection.ensure_connection()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("ATTACH DATABASE %s AS stage", [str(staged.path)])
            cursor.execute(_CACHE)
            try:
                yield cursor
            finally:
                cursor.execute("DETACH DATABASE stage")
        else:
            with _copied(cursor, file, staged) as stage, _alone(cursor):
                yield SqlServerCursor(cursor, stage=stage)


@contextmanager
def _copied(cursor: CursorWrapper, file: StagedSource, staged: Staged) -> Iterator[str]:
    """Copy the staging tables to SQL Server for a while; yield the prefix of their names."""
    from instruments.staging import bulk  # noqa: PLC0415  # it brings the driver of SQL Server

    stage = f"stage_{file.pk}"
    tables = bulk.tables_of(staged.path, staged.layout)
    try:
        bulk.copy(cursor.db, tables, stage=stage)
        yield stage
    finally:
        try:
            bulk.drop(cursor.db, tables, stage=stage)
        except Error as error:  # the next load of the file drops them first
            logger.warning("%s: its staged tables are left behind (%s)", file.name, error)


@contextmanager
def _alone(cursor: CursorWrapper) -> Iterator[None]:
    cursor.execute(_WAIT)
    [(held,)] = cursor.fetchall()  # to its end: nothing else could be asked before
    if held < 0:
        raise MergeBusy("another load is being merged, and has been for an hour")
    try:
        yield
    finally:
        try:
            cursor.execute(_RELEASE)
        except Error as error:
            logger.warning("The lock of merges was lost with its connection (%s)", error)
