"""Check a configured database, as far as it can be reached."""

from collections.abc import Iterator
from typing import Any

from django.db import DatabaseError, Error, InterfaceError
from django.db.migrations.executor import MigrationExecutor

from monitoring.databases import sql_server, sqlite
from monitoring.databases.finding import Finding, Level

_CHECKS_BY_VENDOR: dict[str, Any] = {"sqlite": sqlite, "microsoft": sql_server}


def check(connection: Any) -> Iterator[Finding]:
    """Yield findings about the configuration, then about the database itself.

    An ERROR is the last finding where nothing more can be checked after it.
    """
    vendor = _CHECKS_BY_VENDOR[connection.vendor]
    for finding in vendor.check_configuration(connection):
        yield finding
        if finding.level is Level.ERROR:
            return
    try:
        connection.ensure_connection()
    except (DatabaseError, InterfaceError, Error) as error:
        yield Finding("connection", _one_line(error), Level.ERROR, vendor.advice_for(error))
        return
    yield Finding("connection", "ok")
    try:
        yield from vendor.check_contents(connection)
        yield _check_migrations(connection)
    except (DatabaseError, InterfaceError, Error) as error:
        yield Finding("query", _one_line(error), Level.ERROR, vendor.advice_for(error))


def _check_migrations(connection: Any) -> Finding:
    pending = len(pending_migrations(connection))
    if pending:
        value = f"{pending} not applied yet"
        return Finding("migrations", value, Level.WARNING, "Run `manage.py migrate`.")
    return Finding("migrations", "all applied")


def pending_migrations(connection: Any) -> list[str]:
    """Return the names of migrations that have not been applied, as "app.name"."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
