"""A staging file within reach of a merge: `stage.x`, beside the tables and on their connection."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper

from esma_files.models import EsmaFile
from instruments.loading.dialect import SqlServerCursor
from instruments.loading.staging import Staged
from marketdata.common.errors import RetryableError

# One load merges at a time, as on SQLite. SQL Server's own lock for what has no row; given back with the
# transaction. It waits as long as the largest merge may take.
_ALONE = """
    SET NOCOUNT ON;
    DECLARE @held int;
    EXEC @held = sp_getapplock @Resource = 'marketdata.merge', @LockMode = 'Exclusive',
        @LockOwner = 'Transaction', @LockTimeout = 3600000;
    SELECT @held
"""


class MergeBusy(RetryableError):
    """Another load has been merging for an hour."""


@contextmanager
def attached(file: EsmaFile, staged: Staged) -> Iterator[CursorWrapper]:
    """A cursor for the merge of `file`; call it outside a transaction.

    SQLite attaches the staging file. SQL Server is given its tables, for as long as the merge lasts.
    """
    connection.ensure_connection()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("ATTACH DATABASE %s AS stage", [str(staged.path)])
            try:
                yield cursor
            finally:
                cursor.execute("DETACH DATABASE stage")
            return
        from instruments.loading import bulk  # noqa: PLC0415  # it brings the driver of SQL Server

        stage = f"stage_{file.pk}"
        tables = bulk.tables_of(staged.path, name=file.name)
        try:
            bulk.copy(connection, tables, stage=stage)
            yield SqlServerCursor(cursor, stage=stage)
        finally:
            bulk.drop(connection, tables, stage=stage)


def alone(cursor: CursorWrapper) -> None:
    """Wait until no other load merges; in the transaction of the merge. Raises MergeBusy.

    SQLite has one writer anyway.
    """
    if cursor.db.vendor == "sqlite":
        return
    cursor.execute(_ALONE)
    (held,) = cursor.fetchone()
    if held < 0:
        raise MergeBusy("another load is being merged, and has been for an hour")
