"""Look at a configured database, as far as one gets."""

from collections.abc import Iterator
from typing import Any

from django.db import DatabaseError, Error, InterfaceError
from django.db.migrations.executor import MigrationExecutor

from monitoring.databases import sql_server, sqlite
from monitoring.databases.finding import Finding, Level

_BY_VENDOR: dict[str, Any] = {"sqlite": sqlite, "microsoft": sql_server}


def check(connection: Any) -> Iterator[Finding]:
    """What is configured, then what is there; an ERROR ends it where nothing more can be said."""
    vendor = _BY_VENDOR[connection.vendor]
    for finding in vendor.configured(connection):
        yield finding
        if finding.level is Level.ERROR:
            return
    try:
        connection.ensure_connection()
    except (DatabaseError, InterfaceError, Error) as error:
        yield Finding("connection", _one_line(error), Level.ERROR, vendor.hint(error))
        return
    yield Finding("connection", "ok")
    try:
        yield from vendor.looked_at(connection)
        yield _migrations(connection)
    except (DatabaseError, InterfaceError, Error) as error:
        yield Finding("question", _one_line(error), Level.ERROR, vendor.hint(error))


def _migrations(connection: Any) -> Finding:
    executor = MigrationExecutor(connection)
    waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if waiting:
        said = f"{waiting} to be applied"
        return Finding("migrations", said, Level.WARNING, "Run `manage.py migrate`.")
    return Finding("migrations", "all applied")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
