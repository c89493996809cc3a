"""Values that are remembered for as long as nothing in the database has changed.

SQLite tells at no cost whether anything was committed since a connection asked last (PRAGMA data_version),
and what it has changed itself. So a value that was read before is exact until then, without a query. Other
databases cannot tell: there nothing is remembered.
"""

import sqlite3
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

T = TypeVar("T")

_MAX_VALUES = 1_000  # of one connection; they are all dropped when there are more


def remember(key: Hashable, compute: Callable[[], T]) -> T:
    """Return `compute()`, or its earlier value if the database is as it was then.

    Nothing is remembered within a transaction, because it may be rolled back. Values are kept by
    connection, which is to say by thread: they must not be changed, unless the database is changed too.
    """
    wrapper: Any = connections[DEFAULT_DB_ALIAS]
    state = _get_state(wrapper)
    if state is None:
        return compute()
    values: dict[Hashable, Any]
    state_before, values = getattr(wrapper, "remembered", (None, {}))
    if state_before != state or len(values) >= _MAX_VALUES:
        values = {}
        wrapper.remembered = (state, values)
    if key not in values:
        values[key] = compute()
    return values[key]  # type: ignore[no-any-return]


def forget() -> None:
    """Drop what this connection remembers: after the whole database was replaced through it."""
    wrapper: Any = connections[DEFAULT_DB_ALIAS]
    wrapper.remembered = (None, {})


def _get_state(connection: Any) -> tuple[sqlite3.Connection, int, int] | None:
    """Return what differs after any change to the database; None if that cannot be told."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return None
    connection.ensure_connection()
    opened: sqlite3.Connection = connection.connection
    changed_by_others = opened.execute("PRAGMA data_version").fetchone()[0]
    return opened, changed_by_others, opened.total_changes
