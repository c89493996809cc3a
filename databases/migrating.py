"""Apply migrations under a lock, so that several processes may try at the same time.

The lock is held by the database server (SQL Server) or on a file beside the database (SQLite), and is
released when its holder ends, however that happens.
"""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from django.core.management import call_command
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from databases.errors import MigrationsBusy

_RESOURCE = "marketdata.migrate"
_POLL_SECONDS = 0.2


def missing_migrations(alias: str = "default") -> list[str]:
    """Return the migrations of this version that the database lacks, as `app.name`, in order."""
    executor = MigrationExecutor(connections[alias])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def migrate_once(*, wait_seconds: float, verbosity: int = 1, alias: str = "default") -> list[str]:
    """Apply missing migrations, and return them; an empty list if another process has applied them.

    Raises MigrationsBusy if another process holds the lock for longer than `wait_seconds`.
    """
    with _lock(connections[alias], wait_seconds):
        missing = missing_migrations(alias)
        if missing:
            call_command("migrate", database=alias, interactive=False, verbosity=verbosity)
    return missing


@contextlib.contextmanager
def _lock(connection: BaseDatabaseWrapper, wait_seconds: float) -> Iterator[None]:
    if connection.vendor == "sqlite":
        database = Path(connection.settings_dict["NAME"])
        with _file_lock(database.with_name(f"{database.name}-migrate.lock"), wait_seconds):
            yield
    else:
        with _server_lock(connection.alias, wait_seconds):
            yield


@contextlib.contextmanager
def _file_lock(path: Path, wait_seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + wait_seconds
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise MigrationsBusy(wait_seconds) from None
                time.sleep(_POLL_SECONDS)
        yield


@contextlib.contextmanager
def _server_lock(alias: str, wait_seconds: float) -> Iterator[None]:
    """Hold an application lock of SQL Server, on a connection that does nothing else."""
    connection = connections.create_connection(alias)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "DECLARE @granted int;"
                f" EXEC @granted = sp_getapplock @Resource = '{_RESOURCE}',"
                " @LockMode = 'Exclusive', @LockOwner = 'Session',"
                f" @LockTimeout = {int(wait_seconds * 1000)};"
                " SELECT @granted;"
            )
            if cursor.fetchone()[0] < 0:
                raise MigrationsBusy(wait_seconds)
            yield
            cursor.execute(
                f"EXEC sp_releaseapplock @Resource = '{_RESOURCE}', @LockOwner = 'Session'"
            )
    finally:
        connection.close()
