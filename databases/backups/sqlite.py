"""Access to SQLite files for backups: by sqlite3 and not by Django, since files are copied as a whole."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from django.conf import settings
from django.db import connections

from databases.errors import DamagedDatabase, DatabaseInUse, NoDatabase, NotSqlite, SqliteFailed
from marketdata.common import disks

# Called with the share of the work that is done, from 0 to 1.
Watcher = Callable[[float], None]

_PAGES = 2000  # copied between two calls of the watcher: 16 MB
_LOCK_WAIT_SECONDS = 5  # of a restore, for other processes to close the database


def file_of(alias: str) -> Path:
    """Return the file of a configured database. Raises NotSqlite, NoDatabase where it does not exist."""
    connection = connections[alias]
    if connection.vendor != "sqlite":
        raise NotSqlite(f"The database is {connection.display_name}, not SQLite.")
    path = Path(str(connection.settings_dict["NAME"]))
    if not path.is_file():
        raise NoDatabase(path)
    return path


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into errors that say what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise DamagedDatabase(path, str(error)) from error
        if code == sqlite3.SQLITE_FULL:
            full = disks.describe_full(path, settings.BACKUP_DIR)
            raise SqliteFailed(path, f"{error}: {full}") from error
        raise SqliteFailed(path, str(error)) from error


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a read-only connection."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        connection.execute("PRAGMA busy_timeout=60000")
        yield connection


@contextlib.contextmanager
def alone(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a connection with an exclusive lock. Raises DatabaseInUse where another process has the file open.

    Every connection to a WAL database holds a shared lock as long as it is open, even when idle. So the
    exclusive lock is only obtained where there is no other connection, and prevents new ones.
    """
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA busy_timeout={_LOCK_WAIT_SECONDS * 1000}")
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        try:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise DatabaseInUse(path, _find_processes_with(path)) from error
        yield connection


def copy(source: sqlite3.Connection, target: sqlite3.Connection, watcher: Watcher) -> None:
    """Copy a database in its present state, while other processes may write.

    The open transaction keeps the state: without one, SQLite releases the source after each step and starts
    again whenever another process has written (docs/decisions/0045).
    """

    def report(status: int, remaining: int, total: int) -> None:
        watcher(1 - remaining / total if total else 1)

    source.execute("BEGIN")
    try:
        source.execute(
            "SELECT count(*) FROM sqlite_master"
        ).fetchone()  # only this begins the transaction
        source.backup(target, pages=_PAGES, progress=report)
    finally:
        source.execute("ROLLBACK")


def size(connection: sqlite3.Connection) -> int:
    """Return the size of the database in bytes."""
    pages = _read_number(connection, "PRAGMA page_count")
    return pages * _read_number(connection, "PRAGMA page_size")


def problem(connection: sqlite3.Connection) -> str:
    """Return the first problem of a database, "" where there is none. Reads all of it."""
    try:
        [first_line, *_] = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
        if first_line != "ok":
            return " ".join(str(first_line).split())
        violation = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    if violation is None:
        return ""
    return f"row {violation[1]} of {violation[0]} refers to a missing row of {violation[2]}"


def migrations(connection: sqlite3.Connection) -> list[str]:
    """Return the applied migrations as app.name; none for a database of another project."""
    if "django_migrations" not in rows(connection, only="django_migrations"):
        return []
    applied = connection.execute("SELECT app || '.' || name FROM django_migrations")
    return sorted(row[0] for row in applied)


def rows(connection: sqlite3.Connection, *, only: str = "") -> dict[str, int]:
    """Return the number of rows of each table, or of one."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    ).fetchall()
    tables = [name for (name,) in names if not only or name == only]
    return {name: _read_number(connection, f'SELECT count(*) FROM "{name}"') for name in tables}


def _read_number(connection: sqlite3.Connection, sql: str) -> int:
    return int(connection.execute(sql).fetchone()[0])


def _find_processes_with(path: Path) -> list[str]:
    """Return the other processes that have the file open, as far as this process may see them."""
    resolved = str(path.resolve())
    processes = []
    for process in psutil.process_iter(["pid", "name"]):
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error):  # it has ended, or belongs to another user
            if any(opened.path == resolved for opened in process.open_files()):
                processes.append(f"{process.pid} ({process.name()})")
    return sorted(processes)
