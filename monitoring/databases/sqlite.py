"""A SQLite file: `manage.py database check`."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitoring.databases.finding import Finding, Level, latency, megabytes, warn_unless

_ROOM = 1_000_000_000  # bytes: a load writes its staging files and the log of its transaction


def configured(connection: Any) -> Iterator[Finding]:
    path = Path(connection.settings_dict["NAME"])
    yield Finding("database", f"SQLite, {path}")
    if not path.exists():
        said = "`manage.py migrate` makes it, or SQLITE_DB_PATH names another."
        yield Finding("file", "is not there", Level.ERROR, said)


def looked_at(connection: Any) -> Iterator[Finding]:
    """What can only be said with the file open."""
    path = Path(connection.settings_dict["NAME"])
    yield Finding("version", f"SQLite {sqlite3.sqlite_version}")
    with connection.cursor() as cursor:
        mode = _pragma(cursor, "journal_mode")
        yield warn_unless(
            mode == "wal",
            "journal mode",
            mode,
            "Others cannot read while a load writes: put the file on a disk of this machine, not on a"
            " network share, and start again.",
        )
        pages, free = int(_pragma(cursor, "page_count")), int(_pragma(cursor, "freelist_count"))
        empty = free / pages if pages else 0
        size = sum(os.path.getsize(p) for p in (path, f"{path}-wal") if os.path.exists(p))
        yield warn_unless(
            empty < 0.5,
            "size",
            f"{megabytes(size)}, {empty:.0%} of it empty",
            "More than half is empty: `VACUUM` gives it back, with every worker stopped.",
        )
        problems = _pragma(cursor, "quick_check(1)")
        yield (
            Finding("integrity", "ok")
            if problems == "ok"
            else Finding(
                "integrity",
                problems,
                Level.ERROR,
                "The file is damaged: stop all workers, and put a backup back.",
            )
        )
    left = shutil.disk_usage(path.parent).free
    yield warn_unless(
        left > _ROOM,
        "free space on its disk",
        megabytes(left),
        f"A load needs {megabytes(_ROOM)}: delete files (`manage.py clean_files`), or move the database.",
    )
    yield Finding("latency", f"{latency(connection):.2f} ms")


def hint(error: Exception) -> str:
    """What to do about an error of opening the file."""
    if "unable to open" in str(error):
        return "Is SQLITE_DB_PATH a path that this user may write to?"
    return "Is SQLITE_DB_PATH a SQLite database, and not in use by a program that locks all of it?"


def _pragma(cursor: Any, name: str) -> str:
    cursor.execute(f"PRAGMA {name}")
    return str(cursor.fetchone()[0])
