"""Database triggers that refuse changes and deletions of audit events, whichever way they are made.

The model refuses them too (`audit.models`), but bulk operations through other managers, raw SQL and other
programs bypass it. The triggers are created after every `migrate`, since SQLite drops them when it rebuilds a
table.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

_TABLE = "audit_event"
_MESSAGE = "The audit trail is append-only."
_NAMES = ("audit_event_no_update", "audit_event_no_delete")


def create_triggers(*, using: str = "default", **signal: Any) -> None:
    """Create the triggers if the table exists and they do not. Receiver of post_migrate."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if _TABLE in connection.introspection.table_names(cursor):
            for statement in _create_statements(connection.vendor):
                cursor.execute(statement)


def drop_triggers(*, using: str = "default", **signal: Any) -> None:
    """Drop the triggers, to change the table. Receiver of pre_migrate."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if _TABLE in connection.introspection.table_names(cursor):
            for name in _NAMES:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")


@contextmanager
def lifted(using: str = "default") -> Iterator[None]:
    """Allow the table to be emptied, for commands that empty the whole database."""
    drop_triggers(using=using)
    try:
        yield
    finally:
        create_triggers(using=using)


def _create_statements(vendor: str) -> list[str]:
    if vendor == "sqlite":
        return [
            f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {action} ON {_TABLE}"
            f" BEGIN SELECT RAISE(ABORT, '{_MESSAGE}'); END"
            for name, action in zip(_NAMES, ("UPDATE", "DELETE"), strict=True)
        ]
    # A statement that affects no row is not refused, as on SQLite.
    return [
        f"CREATE OR ALTER TRIGGER {name} ON {_TABLE} AFTER {action} AS"
        f" IF EXISTS (SELECT 1 FROM deleted) BEGIN; THROW 50000, '{_MESSAGE}', 1; END"
        for name, action in zip(_NAMES, ("UPDATE", "DELETE"), strict=True)
    ]
