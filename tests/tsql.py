"""SQL Server without a server: a connection that takes every statement down, and a reader of T-SQL."""

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlglot
from django.db import connections
from django.db.utils import ConnectionHandler
from sqlglot import expressions

from marketdata.azure_sql.base import DatabaseWrapper
from marketdata.settings import databases

ALIAS = "tsql"


class Server:
    """What a driver's connection is to mssql-django. It notes statements, and has no rows."""

    autocommit = True

    def __init__(self) -> None:
        self.said: list[tuple[str, tuple[Any, ...]]] = []

    def cursor(self) -> "Server":
        return self

    def execute(self, sql: str, parameters: Any = ()) -> "Server":
        self.said.append((sql, tuple(parameters)))
        return self

    def executemany(self, sql: str, rows: Any) -> "Server":
        self.said.extend((sql, tuple(row)) for row in rows)
        return self

    def fetchone(self) -> None:
        return None

    def fetchmany(self, size: int) -> list[Any]:
        return []

    def fetchall(self) -> list[Any]:
        return []

    def nextset(self) -> bool:
        return False

    def close(self) -> None: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    rowcount = 0
    description = None


@contextlib.contextmanager
def connected(**settings: Any) -> Iterator[tuple[DatabaseWrapper, Server]]:
    """A connection of the project's engine to nobody, as `connections[ALIAS]`: SQL Server 2022."""
    login = {"USER": "reader", "PASSWORD": "secret"}
    configured = databases.azure_sql(
        server="127.0.0.1", database="marketdata", login=login, retry_seconds=1, **settings
    )
    complete = ConnectionHandler({"default": {}, ALIAS: configured}).settings[ALIAS]
    connections.settings[ALIAS] = complete
    DatabaseWrapper._known_versions[ALIAS] = 2022
    DatabaseWrapper._known_azures[ALIAS] = False
    connection, server = connections[ALIAS], Server()
    connection.connection, connection.autocommit = server, True
    try:
        yield connection, server
    finally:
        connection.connection = None
        del connections[ALIAS], connections.settings[ALIAS]


def parsed(sql: str) -> list[expressions.Expression]:
    """The statements of a batch. Raises ParseError, also for what sqlglot would pass on unread."""
    found = [one for one in sqlglot.parse(sql, dialect="tsql") if one is not None]
    for one in found:
        if isinstance(one, expressions.Command):
            raise sqlglot.ParseError(f"not understood: {one.sql(dialect='tsql')[:200]}")
    return found
