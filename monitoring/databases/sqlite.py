"""Checks of a SQLite database file."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitoring.databases.finding import Finding, Level, format_megabytes, latency, warn_unless

# Bytes: a load writes staging files and the write-ahead log of its transaction.
_FREE_SPACE_FOR_A_LOAD = 1_000_000_000


def check_configuration(connection: Any) -> Iterator[Finding]:
    path = Path(connection.settings_dict["NAME"])
    yield Finding("database", f"SQLite, {path}")
    if not path.exists():
        advice = (
            "Create it with `manage.py migrate`, or set SQLITE_DB_PATH to an existing database."
        )
        yield Finding("file", "does not exist", Level.ERROR, advice)


def check_contents(connection: Any) -> Iterator[Finding]:
    """Yield findings that need the file open: version, journal, size, integrity, latency."""
    path = Path(connection.settings_dict["NAME"])
    yield Finding("version", f"SQLite {sqlite3.sqlite_version}")
    with connection.cursor() as cursor:
        mode = _pragma(cursor, "journal_mode")
        yield warn_unless(
            mode == "wal",
            "journal mode",
            mode,
            "Nobody can read while a load writes. Move the file to a local disk (not a network share)"
            " and restart.",
        )
        pages, free = int(_pragma(cursor, "page_count")), int(_pragma(cursor, "freelist_count"))
        unused = free / pages if pages else 0
        size = sum(os.path.getsize(name) for name in (path, f"{path}-wal") if os.path.exists(name))
        yield warn_unless(
            unused < 0.5,
            "size",
            f"{format_megabytes(size)}, {unused:.0%} of it unused",
            "More than half is unused. To return it to the disk, stop every worker and run `VACUUM`.",
        )
        problems = _pragma(cursor, "quick_check(1)")
        yield (
            Finding("integrity", "ok")
            if problems == "ok"
            else Finding(
                "integrity",
                problems,
                Level.ERROR,
                "The file is damaged. Stop all workers and restore a backup (`manage.py backup restore`).",
            )
        )
    free_bytes = shutil.disk_usage(path.parent).free
    yield warn_unless(
        free_bytes > _FREE_SPACE_FOR_A_LOAD,
        "free disk space",
        format_megabytes(free_bytes),
        f"A load needs {format_megabytes(_FREE_SPACE_FOR_A_LOAD)}. Delete files with `manage.py clean_files`,"
        " or move the database to a larger disk.",
    )
    yield Finding("latency", f"{latency(connection):.2f} ms")


def advice_for(error: Exception) -> str:
    """Return advice on an error met while opening the file."""
    if "unable to open" in str(error):
        return "Check that SQLITE_DB_PATH is a path that this user may write to."
    return "Check that SQLITE_DB_PATH is a SQLite database and that no other program has locked it."


def _pragma(cursor: Any, name: str) -> str:
    cursor.execute(f"PRAGMA {name}")
    return str(cursor.fetchone()[0])
