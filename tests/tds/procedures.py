"""Stored procedures, and functions that ask about the session or the tables."""

import re
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.tds.alter import Alterations
from tests.tds.definitions import plain, split
from tests.tds.tokens import SqlError
from tests.tds.translate import Statement

if TYPE_CHECKING:
    from tests.tds.session import Event, Session, Variables

_CALL = re.compile(
    r"EXEC(?:UTE)?\s+(?:@(\w+)\s*=\s*)?(?:\[?\w+\]?\.)*\[?(\w+)\]?\s*(.*)",
    re.IGNORECASE | re.DOTALL,
)
_PERMISSIONS = {"SELECT", "INSERT", "UPDATE", "DELETE", "ALTER", "REFERENCES", "CREATE TABLE"}


def give(link: sqlite3.Connection, session: "Session") -> None:
    """Functions of the session."""
    database = session.database

    def object_id(name: str, *_: str) -> int | None:
        query = "SELECT object_id FROM ts_table WHERE name = ?"
        row = link.execute(query, [plain(name.rsplit(".", maxsplit=1)[-1])]).fetchone()
        return row[0] if row else None

    def object_name(number: int, *_: int) -> str | None:
        row = link.execute("SELECT name FROM ts_table WHERE object_id = ?", [number]).fetchone()
        return row[0] if row else None

    def col_name(number: int, column: int) -> str | None:
        query = "SELECT name FROM sys_columns WHERE object_id = ? AND column_id = ?"
        row = link.execute(query, [number, column]).fetchone()
        return row[0] if row else None

    def column_property(number: int, column: str, what: str) -> int | None:
        query = "SELECT is_identity FROM sys_columns WHERE object_id = ? AND name = ? COLLATE CI"
        row = link.execute(query, [number, column]).fetchone()
        return row[0] if row and what.lower() == "isidentity" else None

    def last_value(number: int) -> int | None:
        query = "SELECT seq FROM sqlite_sequence WHERE name = (SELECT name FROM ts_table WHERE object_id = ?)"
        row = link.execute(query, [number]).fetchone()
        return row[0] if row else None

    server = {
        "productversion": "16.0.4175.1" if not database.azure else "12.0.2000.8",
        "engineedition": 5 if database.azure else 3,
        "edition": "SQL Azure" if database.azure else "Developer Edition (64-bit)",
    }
    about = {
        "edition": "GeneralPurpose",
        "serviceobjective": "GP_S_Gen5_1",
        "maxsizeinbytes": 2**35,
    }
    for name, count, function in (
        ("ts_object_id", -1, object_id),
        ("ts_object_name", -1, object_name),
        ("ts_col_name", 2, col_name),
        ("ts_columnproperty", 3, column_property),
        ("ts_scope_identity", 0, lambda: session.last_identity),
        ("ts_identity", 0, lambda: session.last_identity),
        ("ts_trancount", 0, lambda: session.transactions.count),
        ("ts_rowcount", 0, lambda: session.rowcount),
        ("ts_ident_current", 1, lambda name: last_identity(session, plain(name))),
        ("ts_last_value", 1, last_value),
        ("ts_db_name", 0, lambda: session.name),
        ("ts_schema_name", 0, lambda: "dbo"),
        ("ts_schema_id", -1, lambda *_: 1),
        ("ts_user_name", 0, lambda: database.user),
        ("ts_suser_sname", 0, lambda: database.user),
        ("ts_version", 0, lambda: "Microsoft SQL Azure (RTM) - 12.0.2000.8, as told by a test"),
        ("ts_servername", 0, lambda: "tds-for-tests"),
        ("ts_serverproperty", 1, lambda name: server.get(name.lower())),
        ("ts_databasepropertyex", 2, lambda _, name: about.get(name.lower())),
        ("ts_fileproperty", 2, lambda *_: 4096),
        ("ts_has_perms_by_name", 3, lambda *given: int(given[2].upper() in _PERMISSIONS)),
    ):
        link.create_function(name, count, session.failures.keeping(function))


def last_identity(session: "Session", name: str) -> int | None:
    """IDENT_CURRENT: the seed where no row has been inserted yet."""
    table = session.catalogue.find(name)
    if table is None or table.identity is None:
        return None
    query = "SELECT seq FROM sqlite_sequence WHERE name = ?"
    row = session.link.execute(query, [table.name]).fetchone()
    return int(row[0]) if row else 1


def check_identity(session: "Session", sql: str) -> None:
    """DBCC CHECKIDENT: on a table that never had rows the next key is the given one, else one more."""
    match = re.match(
        r"DBCC\s+CHECKIDENT\s*\(\s*N?'([^']+)'\s*,\s*RESEED\s*,\s*(\d+)\s*\)", sql, re.IGNORECASE
    )
    if not match:
        raise SqlError(2526, f"Incorrect DBCC statement: {sql}")
    table = session.catalogue.get(plain(match[1]))
    if table.identity is None:
        raise SqlError(7997, f"'{table.name}' does not contain an identity column.")
    with session.transactions.writing():
        query = "SELECT count(*) FROM sqlite_sequence WHERE name = ?"
        (used,) = session.link.execute(query, [table.name]).fetchone()
        last = int(match[2]) - (0 if used else 1)
        session.link.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table.name])
        session.link.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", [table.name, last])


def write(session: "Session", statement: Statement, bound: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Carry out a statement that writes, in a transaction; the rows that it returns."""
    link, target = session.link, statement.target
    if statement.kind == "into":
        table = session.make_into(statement)
        place = "temp." if table.name.startswith("#") else ""
        cursor = link.execute(f"INSERT INTO {place}`{table.name}` {statement.sql}", bound)
        session.rowcount = cursor.rowcount
        return []
    if statement.kind == "insert" and target is not None and target.identity is not None:
        explicit = target.identity.name.lower() in [name.lower() for name in statement.given]
        if explicit != (session.identity_insert == target.name):
            number = 544 if explicit else 545
            raise SqlError(number, f"Explicit value for identity column in table '{target.name}'.")
    cursor = link.execute(statement.sql, bound)
    rows = cursor.fetchall()
    session.rowcount = cursor.rowcount if statement.columns is None else len(rows)
    if statement.kind == "insert" and target is not None and target.identity is not None:
        session.last_identity = link.execute("SELECT last_insert_rowid()").fetchone()[0]
    _keys_hold(session, statement)
    return rows


def _keys_hold(session: "Session", statement: Statement) -> None:
    """Foreign keys, at the end of the statement. Raises SqlError 547."""
    target = statement.target
    if target is None:
        return
    if statement.kind == "delete":
        checked = [
            (table, key)
            for table in session.catalogue.all()
            for key in table.keys
            if key.table == target.name
        ]
    else:
        checked = [(target, key) for key in target.keys]
    for table, key in checked:
        if not table.unchecked:
            query = (
                f"SELECT 1 FROM `{table.name}` WHERE `{key.column}` IS NOT NULL AND NOT EXISTS"
                f" (SELECT 1 FROM `{key.table}` AS k WHERE k.`{key.to}` = `{table.name}`.`{key.column}`)"
                " LIMIT 1"
            )
            if session.link.execute(query).fetchone():
                raise SqlError(547, f'Conflicted with the FOREIGN KEY constraint "{key.name}".')


def _given(text: str, variables: "Variables") -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a call, in order and by name."""
    positional: list[Any] = []
    by_name: dict[str, Any] = {}
    for part in split(text) if text.strip() else []:
        match = re.fullmatch(
            r"(?:@(\w+)\s*=\s*)?(.*?)(?:\s+OUTPUT)?", part.strip(), re.IGNORECASE | re.DOTALL
        )
        assert match
        value: Any = match[2]
        if quoted := re.fullmatch(r"N?'(.*)'", value, re.DOTALL):
            value = quoted[1].replace("''", "'")
        elif value.startswith("@"):
            value = variables[value[1:]][1]
        if match[1]:
            by_name[match[1].lower()] = value
        else:
            positional.append(value)
    return positional, by_name


def execute(session: "Session", sql: str, variables: "Variables") -> Iterator["Event"]:
    """EXEC. Raises SqlError."""
    from tests.tds.session import Done

    if inner := re.fullmatch(r"EXEC(?:UTE)?\s*\(\s*@(\w+)\s*\)", sql.strip(), re.IGNORECASE):
        yield from session.run(variables[inner[1]][1], {}, nested=True)
        return
    match = _CALL.fullmatch(sql.strip())
    if not match:
        raise SqlError(102, f"Incorrect syntax near '{sql[:200]}'.", 15)
    result, name, rest = match[1], match[2].lower(), match[3]
    given, by_name = _given(rest, variables)
    return_code = 0
    if name == "sp_executesql":
        yield from session.run(given[0], {}, nested=True)
    elif name == "sp_rename":
        definitions = Alterations(session.link, session.catalogue, session.expression)
        with session.transactions.writing():
            definitions.rename(given[0], plain(given[1]), given[2] if len(given) > 2 else "OBJECT")
    elif name == "sp_getapplock":
        wait = int(by_name.get("locktimeout", -1))
        return_code = session.database.lock(f"{session.name}/{by_name['resource']}", session, wait)
    elif name == "sp_releaseapplock":
        if not session.database.unlock(f"{session.name}/{by_name['resource']}", session):
            raise SqlError(
                1223, f"Cannot release the lock '{by_name['resource']}': it is not held."
            )
    else:
        raise SqlError(2812, f"Could not find stored procedure '{name}'.")
    if result:
        variables[result] = (variables[result][0], return_code)
    yield Done()
