"""Compile queries for SQL Server without a server, and report what SQL Server would refuse."""

import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import sqlglot
from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import connections
from django.db.backends import utils
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql import InsertQuery, Query, UpdateQuery, compiler
from django.db.utils import ConnectionHandler
from sqlglot import expressions as exp
from sqlglot.tokenizer_core import TokenType

from instruments.staging.dialect import translate_to_t_sql
from marketdata.azure_sql.base import DatabaseWrapper
from marketdata.settings import databases
from tests.tsql_words import BEFORE_A_BRACKET, RESERVED

ALIAS = "tsql"
MOST_PARAMETERS = 2_100
# Only statements of loading contain the first words; the second ones belong to SQLite alone.
_OF_LOADING = re.compile(r"\b(temp|stage)\.\w|\bTEMP TABLE\b")
_OF_SQLITE = re.compile(
    r"\b(ATTACH|DETACH|PRAGMA|instruments_name_index|instruments_entity_index|indexed_codes)\b"
)
_STATEMENTS = (
    exp.Select, exp.Union, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Alter, exp.Drop,
    exp.Execute, exp.Set, exp.TruncateTable,
)  # fmt: skip
_OF_OTHERS = {
    TokenType.DPIPE: "|| joins texts elsewhere",
    TokenType.LIMIT: "LIMIT is TOP or FETCH",
    TokenType.TEMPORARY: "a temporary table is called #",
    TokenType.TRUE: "true is 1",
    TokenType.FALSE: "false is 0",
    TokenType.ILIKE: "ILIKE is not known",
}


class Server:
    """Stand in for a driver's connection below mssql-django: records statements, and has no rows."""

    autocommit = True
    rowcount = 0
    description = None
    timeout = 0  # seconds of a statement, as of a driver's connection

    def __init__(self) -> None:
        self.statements: list[tuple[str, tuple[Any, ...]]] = []

    def cursor(self) -> "Server":
        return self

    def execute(self, sql: str, parameters: Any = ()) -> "Server":
        self.statements.append((sql, tuple(parameters)))
        return self

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *error: object) -> None: ...

    def fetchone(self) -> tuple[int]:
        return (0,)

    def fetchmany(self, size: int) -> list[Any]:
        return []

    def fetchall(self) -> list[Any]:
        return []

    def nextset(self) -> bool:
        return False

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...


SERVER = databases.Server(
    host="127.0.0.1",
    database="marketdata",
    login={"USER": "reader", "PASSWORD": "secret"},
    timeout=1,
    retry_seconds=1,
)


@functools.cache
def unconnected(server: databases.Server = SERVER) -> DatabaseWrapper:
    """Return a closed connection of the project's engine, which compiles for SQL Server 2022."""
    DatabaseWrapper._known_versions[ALIAS] = 2022  # otherwise it would ask the server
    DatabaseWrapper._known_azures[ALIAS] = False
    configured = {"default": {}, ALIAS: databases.azure_sql(server)}
    connection = ConnectionHandler(configured)[ALIAS]
    assert isinstance(connection, DatabaseWrapper)
    connection.inc_thread_sharing()  # shared by all tests; it holds no state
    return connection


@contextlib.contextmanager
def known(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Register the connection as `connections[ALIAS]`."""
    connections.settings[ALIAS] = connection.settings_dict
    connections[ALIAS] = connection
    try:
        yield
    finally:
        del connections[ALIAS], connections.settings[ALIAS]


@contextlib.contextmanager
def connected(
    to: databases.Server = SERVER,
) -> Iterator[tuple[DatabaseWrapper, Server]]:
    """Yield the connection of `unconnected`, connected to a `Server`, and that server."""
    connection, server = unconnected(to), Server()
    connection.connection, connection.autocommit = server, True
    with known(connection):
        yield connection, server
        connection.connection = None


@contextlib.contextmanager
def compiled_too() -> Iterator[list[str]]:
    """Compile every query that Django executes for SQL Server too, and translate every statement of loading.

    Yields a list to which the problems are added. Each query is compiled once, by its text on SQLite.
    """
    refused: list[str] = []
    seen: set[str] = set()

    def is_new(sql: str) -> bool:
        if sql in seen or _OF_SQLITE.search(sql):
            return False
        seen.add(sql)
        return True

    def noting(execute_sql: Callable[..., Any]) -> Callable[..., Any]:
        def noted(self: Any, *arguments: Any, **options: Any) -> Any:
            if self.connection.vendor == "microsoft":
                return execute_sql(self, *arguments, **options)
            executed_sql: list[str] = []
            # A wrapper that is added to a new connection within the block would be removed at its end.
            self.connection.ensure_connection()
            with self.connection.execute_wrapper(_recording(executed_sql)):
                result = execute_sql(self, *arguments, **options)
            refused.extend(_too_long(self.query))
            if list(filter(is_new, executed_sql)):
                refused.extend(wrong_with(self.query))
            return result

        return noted

    executed = utils.CursorWrapper.execute

    def execute(self: Any, sql: str, params: Any = None) -> Any:
        if self.db.vendor == "sqlite" and _OF_LOADING.search(sql) and is_new(sql):
            refused.extend(problems(translate_to_t_sql(sql, stage="stage_1").replace("%s", "?")))
        return executed(self, sql, params)

    with contextlib.ExitStack() as patched:
        for kind in (compiler.SQLCompiler, compiler.SQLInsertCompiler):
            noted = noting(kind.execute_sql)
            patched.enter_context(mock.patch.object(kind, "execute_sql", noted))
        patched.enter_context(mock.patch.object(utils.CursorWrapper, "execute", execute))
        yield refused


def _recording(executed_sql: list[str]) -> Callable[..., Any]:
    def record(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        executed_sql.append(sql)
        return execute(sql, *rest)

    return record


def _too_long(query: Query) -> Iterator[str]:
    """Yield texts that are longer than their column: SQLite stores them, SQL Server refuses them."""
    assigned: list[tuple[Any, Any]] = []
    if isinstance(query, InsertQuery):
        assigned = [(f, getattr(row, f.attname)) for row in query.objs for f in query.fields]
    elif isinstance(query, UpdateQuery):
        assigned = [(field, value) for field, _, value in query.values]  # type: ignore[attr-defined]
    for field, value in assigned:
        if isinstance(value, str) and field.max_length and len(value) > field.max_length:
            yield f"{len(value)} letters for {field}: {value[:100]}"


def wrong_with(query: Query) -> list[str]:
    """Return what SQL Server would refuse in a query."""
    query = query.clone()
    if isinstance(query, InsertQuery):
        query.raw = True  # use the values as they are, so that nothing is saved twice
    with connected() as (connection, _):
        connection.autocommit = False  # FOR UPDATE asks whether there is a transaction
        try:
            statements = query.get_compiler(using=ALIAS).as_sql()
        except (EmptyResultSet, FullResultSet):
            return []
    refused = []
    for sql, parameters in statements if isinstance(statements, list) else [statements]:
        if len(parameters) > MOST_PARAMETERS:
            refused.append(f"{len(parameters)} parameters: {sql[:500]}")
        if sql:
            refused += problems(sql.replace("%s", "?").replace("%%", "%"))
    return refused


def problems(sql: str) -> tuple[str, ...]:
    """Return what SQL Server would refuse in a batch. sqlglot alone accepts too much.

    Lists of parameters and of rows are shortened first, so that equal statements are parsed once.
    """
    sql = re.sub(r"\?(?:, \?){2,}", "?, ?", sql)
    return _problems(re.sub(r"(\([?, ]+\))(?:, \1)+", r"\1", sql))


@functools.lru_cache(maxsize=10_000)
def _problems(sql: str) -> tuple[str, ...]:
    try:
        statements = [parsed for parsed in sqlglot.parse(sql, dialect="tsql") if parsed is not None]
        reasons = [*_odd_words(sql)]
        for statement in statements:
            reasons += _refused(statement)
    except sqlglot.errors.SqlglotError as error:
        reasons = [str(error)]
    return tuple(f"{reason}: {sql}" for reason in reasons)


def _odd_words(sql: str) -> Iterator[str]:
    tokens = sqlglot.tokenize(sql, dialect="tsql")
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        if token.token_type in _OF_OTHERS:
            yield _OF_OTHERS[token.token_type]
        named = before is not None and before.text.upper() in (
            "INTO",
            "TABLE",
            "WITH",
            "AS",
            "ON",
            "#",
        )
        called = after is not None and after.token_type is TokenType.L_PAREN
        word = token.text.isidentifier() and token.token_type is not TokenType.IDENTIFIER
        if called and word and not named and token.text.upper() not in BEFORE_A_BRACKET:
            yield f"no function {token.text}"


def _refused(statement: exp.Expr) -> Iterator[str]:
    known = isinstance(statement, _STATEMENTS)
    if not known and not (isinstance(statement, exp.Command) and statement.this.upper() == "SET"):
        yield f"no such statement ({statement.key})"
    for node in statement.walk():
        if isinstance(node, exp.Select):
            yield from _refused_select(node)
        elif isinstance(node, (exp.Max, exp.Min)) and node.expressions:
            yield f"{node.key} of one value only"
        elif _sums_sums(node):
            yield f"{node.key} over a subquery or an aggregate"
        elif isinstance(node, exp.Identifier) and _is_reserved(node):
            yield f"{node.name} is a word of the server"
        elif _compared(node):
            yield "columns cannot be compared together"


def _sums_sums(node: exp.Expr) -> bool:
    """Return True for an aggregate of subqueries or aggregates, unless it is a window function."""
    if not isinstance(node, exp.AggFunc) or isinstance(node.parent, exp.Window):
        return False
    return any(inner is not node for inner in node.find_all(exp.AggFunc, exp.Select))


def _is_reserved(name: exp.Identifier) -> bool:
    return not name.quoted and name.name.upper() in RESERVED


def _compared(node: exp.Expr) -> bool:
    """Return True for several columns on the left side of a comparison or an assignment."""
    compares = isinstance(node.parent, (exp.EQ, exp.In, exp.NEQ))
    return isinstance(node, exp.Tuple) and compares and node.arg_key == "this"


def _refused_select(select: exp.Select) -> Iterator[str]:
    bounded = select.args.get("offset") or select.args.get("limit")
    inner = select.parent is not None and not isinstance(select.parent, (exp.Insert, exp.Create))
    if select.args.get("offset") and not select.args.get("order"):
        yield "OFFSET without ORDER BY"
    if select.args.get("order") and inner and not bounded:
        yield "ORDER BY in a subquery without TOP or OFFSET"
    for column in select.expressions:
        if isinstance(column.unalias().unnest(), (exp.Predicate, exp.Connector, exp.Not)):
            yield f"a condition is not a value ({column.sql(dialect='tsql')[:100]})"
    for group in (select.args.get("group") or exp.Group()).expressions:
        if not group.find(exp.Column) or group.find(exp.Subquery):
            yield f"GROUP BY without a column ({group.sql(dialect='tsql')[:100]})"


def texts(sql: str) -> list[str]:
    """Return the declarations of text columns in a statement, each with its collation."""
    return re.findall(r"\bnvarchar\([^)]+\)(?: COLLATE \w+)?", sql, re.IGNORECASE)
