"""The session of a connection: batches, statement by statement."""

import dataclasses
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

from tests.tds import catalogue, functions, procedures, results, triggers, values
from tests.tds.alter import Alterations
from tests.tds.batch import Conditional, Part, parts_of
from tests.tds.catalogue import Catalogue, Table, TableColumn
from tests.tds.database import Database
from tests.tds.definitions import plain
from tests.tds.refusals import named
from tests.tds.tokens import Column, SqlError
from tests.tds.transactions import Transactions
from tests.tds.translate import Statement, Translator
from tests.tds.typed import Typer
from tests.tds.types import SqlType, declared

Variables = dict[str, tuple[SqlType, Any]]
_COMMANDS = {"select": 0xC1, "insert": 0xC3, "delete": 0xC4, "update": 0xC5, "into": 0xC1}
# What takes the transaction along; other errors end the statement alone.
_DOOMING = {241, 245, 1205, 3960, 8114}
_SET = re.compile(r"SET\s+(\w+)\s+(?:(\S+)\s+)?(ON|OFF)", re.IGNORECASE)
_VARIABLE = re.compile(
    r"(?:SET\s+)?@(\w+)\s+(?:AS\s+)?([\w() ,]+?)?\s*(?:=\s*(.*))?", re.IGNORECASE | re.DOTALL
)


@dataclasses.dataclass(frozen=True)
class Result:
    columns: list[Column]
    rows: list[tuple[Any, ...]]


@dataclasses.dataclass(frozen=True)
class Done:
    count: int | None = None
    command: int = 0


Event = Result | Done


class Session:
    def __init__(self, database: Database, name: str) -> None:
        self.database, self.name = database, name.lower()
        path = database.path_of(self.name)
        self.link = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self.failures = functions.Failures()
        functions.give(self.link, self.failures)
        procedures.give(self.link, self)
        self.link.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;")
        self.link.execute("PRAGMA legacy_alter_table=ON")
        catalogue.prepare(self.link)
        self.catalogue = Catalogue(self.link)
        self.transactions = Transactions(self.link)
        self.reset()

    def reset(self) -> None:
        """As it was when it began: what a connection from a pool asks for."""
        if self.transactions.count:
            self.transactions.rollback()
            self.transactions.news.clear()
        self.transactions.implicit = False
        self.drop_temporary(set())
        self.identity_insert, self.nocount = "", False
        self.last_identity: int | None = None
        self.rowcount = 0
        self.database.unlock_all(self)

    def close(self) -> None:
        if self.link.in_transaction:
            self.link.execute("ROLLBACK")
        self.link.close()
        self.database.unlock_all(self)

    def drop_temporary(self, kept: set[str]) -> None:
        for name in [name for name in self.catalogue.temporary if name not in kept]:
            del self.catalogue.temporary[name]
            self.link.execute(f"DROP TABLE IF EXISTS temp.`{name}`")

    def run(self, sql: str, variables: Variables, *, nested: bool = False) -> Iterator[Event]:
        """Run a batch. The temporary tables of a `nested` one are dropped at its end."""
        tables_before = set(self.catalogue.temporary)
        self.database.statements.append(sql)
        try:
            yield from self._parts(parts_of(sql), variables)
        except sqlite3.Error as error:
            problem = named(error, self.failures, self.catalogue)
            self._doom(problem)
            raise problem from error
        except SqlError as error:
            self._doom(error)
            raise
        finally:
            if nested:
                self.drop_temporary(tables_before)

    def _doom(self, error: SqlError) -> None:
        if self.transactions.count and error.number in _DOOMING:
            self.transactions.rollback()
        self.catalogue.forget_lost()

    def _parts(self, parts: Any, variables: Variables) -> Iterator[Event]:
        for part in parts:
            if isinstance(part, Conditional):
                yield from self._conditional(part, variables)
            else:
                yield from self._plain(part.sql.strip(), variables)

    def _conditional(self, part: Conditional, variables: Variables) -> Iterator[Event]:
        query = f"SELECT CASE WHEN {part.condition} THEN 1 ELSE 0 END AS is_met"
        again = True
        while again and self._ask(query, variables)[0][0]:
            body: list[Part] = list(part.body)
            yield from self._parts(body, variables)
            again = part.repeats

    def _ask(self, sql: str, variables: Variables) -> list[tuple[Any, ...]]:
        statement = self._translated(sql, variables)
        return self.link.execute(statement.sql, _bound(variables)).fetchall()

    def _translated(self, sql: str, variables: Variables) -> Statement:
        types = {name: type_ for name, (type_, _) in variables.items()}
        made = self.catalogue.get_cached(
            self.database.made,
            (sql, tuple(types.items())),
            lambda: Translator(Typer(self.catalogue, types), self.catalogue.get).translate(sql),
        )
        target = made.target and self.catalogue.get(made.target.name)
        return dataclasses.replace(made, target=target)

    def expression(self, sql: str, table: Table | None) -> str:
        return Translator(Typer(self.catalogue, {}), self.catalogue.get).expression(sql, table)

    def _plain(self, sql: str, variables: Variables) -> Iterator[Event]:
        word = re.match(r"\w+", sql)
        match word[0].upper() if word else "":
            case "DECLARE":
                self._declare(sql, variables)
            case "SET":
                self._set(sql, variables)
            case "CREATE" | "ALTER" | "DROP" | "TRUNCATE":
                self._define(sql)
                yield Done()
            case "EXEC" | "EXECUTE":
                yield from procedures.execute(self, sql, variables)
            case "BEGIN" | "COMMIT" | "ROLLBACK" | "SAVE":
                self._transact(sql)
                yield Done()
            case "DBCC":
                procedures.check_identity(self, sql)
                yield Done()
            case "PRINT" | "USE":
                yield Done()
            case _:
                yield from self._statement(sql, variables)

    def _declare(self, sql: str, variables: Variables) -> None:
        from tests.tds.definitions import split

        for part in split(re.sub(r"(?i)^DECLARE\s+", "", sql)):
            match = _VARIABLE.fullmatch(part.strip())
            if not match or not match[2]:
                raise SqlError(102, f"Incorrect syntax near '{part}'.", 15)
            type_ = declared(match[2])
            value = self._ask(f"SELECT {match[3]}", variables)[0][0] if match[3] else None
            variables[match[1]] = (type_, values.converted(value, type_, cast=True))

    def _set(self, sql: str, variables: Variables) -> None:
        if re.match(r"SET\s+@", sql, re.IGNORECASE):
            match = _VARIABLE.fullmatch(sql)
            if not match or match[1] not in variables:
                raise SqlError(137, f"Must declare the scalar variable in {sql}.", 15)
            self._assign(match[1], self._ask(f"SELECT {match[3]}", variables)[0][0], variables)
            return
        match = _SET.fullmatch(sql)
        name, on = (match[1].upper(), match[3].upper() == "ON") if match else ("", False)
        if name == "IMPLICIT_TRANSACTIONS":
            self.transactions.implicit = on
        elif name == "NOCOUNT":
            self.nocount = on
        elif name == "IDENTITY_INSERT" and match:
            table = self.catalogue.get(plain(match[2]))
            if on and self.identity_insert not in ("", table.name):
                raise SqlError(8107, f"IDENTITY_INSERT is already ON for {self.identity_insert}.")
            if table.identity is None:
                raise SqlError(8106, f"Table '{table.name}' does not have the identity property.")
            self.identity_insert = table.name if on else ""

    def _assign(self, name: str, value: Any, variables: Variables) -> None:
        type_ = variables[name][0]
        variables[name] = (type_, values.converted(value, type_, cast=True))

    def _transact(self, sql: str) -> None:
        verb, *words = re.findall(r"\[[^\]]+\]|\w+", sql.upper())
        names = [plain(word) for word in words if word not in ("TRAN", "TRANSACTION", "WORK")]
        if verb == "BEGIN":
            self.transactions.begin()
        elif verb == "COMMIT":
            self.transactions.commit()
        elif verb == "SAVE":
            self.transactions.save(names[0])
        elif names:
            self.transactions.rollback_to(names[0])
            self.catalogue.forget_lost()
        else:
            self.transactions.rollback()
            self.catalogue.forget_lost()

    def _define_database(self, verb: str, name: str) -> None:
        if self.transactions.count:
            raise SqlError(
                226, "DATABASE statement not allowed within multi-statement transaction."
            )
        if verb == "CREATE":
            self.database.create(name)
        elif verb == "DROP":
            self.database.drop(name)

    def _define(self, sql: str) -> None:
        if database := re.match(r"(CREATE|DROP|ALTER)\s+DATABASE\s+(\S+)", sql, re.IGNORECASE):
            self._define_database(database[1].upper(), plain(database[2]))
            return
        if re.match(r"CREATE\s+SCHEMA\s+\S+$", sql, re.IGNORECASE):
            return  # nothing is put into it
        made = Alterations(self.link, self.catalogue, self.expression)
        with self.transactions.writing():
            if re.match(r"(CREATE\s+(OR\s+ALTER\s+)?|DROP\s+)TRIGGER\b", sql, re.IGNORECASE):
                for statement in triggers.translate(sql):
                    self.link.execute(statement)
            elif match := re.match(
                r"CREATE\s+TABLE\s+(\[[^\]]+\]|[#\w]+)\s*\((.*)\)\s*;?$",
                sql,
                re.IGNORECASE | re.DOTALL,
            ):
                made.create_table(match[1], match[2])
            elif re.match(
                r"CREATE\s+(UNIQUE\s+|CLUSTERED\s+|NONCLUSTERED\s+)*INDEX", sql, re.IGNORECASE
            ):
                made.create_index(sql)
            elif re.match(r"ALTER\s+TABLE", sql, re.IGNORECASE):
                made.alter(sql)
            elif match := re.match(
                r"DROP\s+TABLE\s+(IF\s+EXISTS\s+)?(\S+?);?$", sql.strip(), re.IGNORECASE
            ):
                made.drop_table(match[2], if_exists=bool(match[1]))
            elif match := re.match(
                r"DROP\s+INDEX\s+(\S+)\s+ON\s+(\S+?);?$", sql.strip(), re.IGNORECASE
            ):
                made.drop_index(match[1], match[2])
            elif match := re.match(r"TRUNCATE\s+TABLE\s+(\S+?);?$", sql.strip(), re.IGNORECASE):
                table = self.catalogue.get(plain(match[1]))
                self.link.execute(f"DELETE FROM `{table.name}`")
                self.link.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table.name])
            else:
                raise SqlError(262, f"This server does not know: {sql[:200]}", 14)

    def _statement(self, sql: str, variables: Variables) -> Iterator[Event]:
        statement = self._translated(sql, variables)
        command = _COMMANDS[statement.kind]
        if not statement.writes:
            if re.search(r"\bFROM\b", sql, re.IGNORECASE):
                self.transactions.begin_if_implicit()
            rows = self.link.execute(statement.sql, _bound(variables)).fetchall()
            self.rowcount = len(rows)
            if statement.assigned:
                for name, value in zip(statement.assigned, rows[-1] if rows else (), strict=False):
                    self._assign(name, value, variables)
                yield Done()
                return
            yield Result(*results.fitting(statement.columns or [], rows))
            yield Done(len(rows), command)
            return
        with self.transactions.writing():
            rows = procedures.write(self, statement, _bound(variables))
        if statement.columns is not None and statement.kind != "into":
            yield Result(*results.fitting(statement.columns, rows))
        yield Done(None if self.nocount else self.rowcount, command)

    def make_into(self, statement: Statement) -> Table:
        """The table that a SELECT INTO makes."""
        columns = [
            TableColumn(c.name, c.type or SqlType("int"), c.nullable)
            for c in statement.columns or []
        ]
        table = Table(statement.into, columns)
        Alterations(self.link, self.catalogue, self.expression).keep_made(table)
        return table


def _bound(variables: Variables) -> dict[str, Any]:
    return {name: value for name, (_, value) in variables.items()}
