"""A model of SQL Server's catalogue: tables, columns, and the constraints and indexes that depend on them.

It applies the statements of migrations. A statement that SQL Server would refuse because of a dependency
raises Refused, with the number of the server's error. The backend reads the names of constraints from the
catalogue as it would from the server's own views.
"""

import dataclasses
import itertools
import re
from collections.abc import Callable
from typing import Any

from tests import tsql

_NAME = r"\[?([^\[\]\s]+)\]?"
_TYPE = re.compile(r"\w+(?: precision)?(?:\([^)]*\))?(?: COLLATE \w+)?")


class Refused(Exception):
    """SQL Server would refuse the statement; the text begins with the number of its error."""


@dataclasses.dataclass
class Kept:
    """A constraint or an index: its kind, table and columns, and the column that it refers to."""

    kind: str  # PRIMARY KEY, UNIQUE, FOREIGN KEY, CHECK, DEFAULT, INDEX or UNIQUE INDEX
    table: str
    columns: list[str]
    condition: str = ""
    points_to: tuple[str, str] | None = None


class Catalog(tsql.Server):
    """A server with tables, and no rows."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, dict[str, str]] = {}
        self.kept: dict[str, Kept] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._number = itertools.count(1)
        self._rules: list[tuple[re.Pattern[str], Callable[..., None]]] = [
            (re.compile(pattern, re.DOTALL), rule)
            for pattern, rule in (
                (rf"CREATE TABLE {_NAME} \((.*)\)", self._create_table),
                (
                    rf"CREATE (UNIQUE )?INDEX {_NAME} ON {_NAME} ?\((.*?)\)(?: WHERE (.*))?",
                    self._index,
                ),
                (rf"DROP INDEX {_NAME} ON {_NAME}", self._drop_index),
                (rf"ALTER TABLE {_NAME} ADD CONSTRAINT {_NAME} (.*)", self._constraint),
                (rf"ALTER TABLE {_NAME} DROP CONSTRAINT {_NAME}", self._drop),
                (rf"ALTER TABLE {_NAME} ALTER COLUMN {_NAME} (.*)", self._alter_column),
                (rf"ALTER TABLE {_NAME} DROP COLUMN {_NAME}", self._drop_column),
                (rf"ALTER TABLE {_NAME} ADD {_NAME} (.*)", self._column),
                (rf"EXEC sp_rename '{_NAME}\.{_NAME}', {_NAME}, 'COLUMN'", self._rename_column),
                (rf"EXEC sp_rename {_NAME}, {_NAME}", self._rename_table),
            )
        ]

    def execute(self, sql: str, parameters: Any = ()) -> "Catalog":
        super().execute(sql, parameters)
        self._rows = self._views(sql, parameters)
        for pattern, rule in self._rules:
            if match := pattern.fullmatch(sql.strip().rstrip(";")):
                rule(*match.groups())
                break
        return self

    def fetchall(self) -> list[Any]:
        return self._rows

    def _of(self, table: str, *kinds: str) -> list[tuple[str, Kept]]:
        return [(n, k) for n, k in self.kept.items() if k.table == table and k.kind in kinds]

    def _views(self, sql: str, parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query of the backend about INFORMATION_SCHEMA or sys."""
        if match := re.search(
            r"sys\.default_constraints .*t\.name = '(\w+)' .*c\.name = '(\w+)'", sql
        ):
            return [(n,) for n, k in self._of(match[1], "DEFAULT") if k.columns == [match[2]]]
        table = parameters[0] if len(parameters) == 1 else ""
        if "KEY_COLUMN_USAGE" in sql:
            return [
                (name, column, kept.kind, *(kept.points_to or (None, None)))
                for name, kept in self._of(table, "PRIMARY KEY", "UNIQUE", "FOREIGN KEY")
                for column in kept.columns
            ]
        if "CONSTRAINT_COLUMN_USAGE" in sql:
            return [(n, column) for n, k in self._of(table, "CHECK") for column in k.columns]
        if "[default_constraints]" in sql:
            return [(n, column) for n, k in self._of(table, "DEFAULT") for column in k.columns]
        if "sys.index_columns" in sql:
            return [
                (
                    n,
                    k.kind != "INDEX",
                    k.kind == "UNIQUE",
                    k.kind == "PRIMARY KEY",
                    2,
                    "",
                    0,
                    column,
                )
                for n, k in self._of(table, "PRIMARY KEY", "UNIQUE", "INDEX", "UNIQUE INDEX")
                for column in k.columns
            ]
        return []

    def _keep(self, name: str, kept: Kept) -> None:
        if name in self.kept:
            raise Refused(f"2714: there is already an object named {name}")
        for column in kept.columns:
            self._type_of(kept.table, column)
        if kept.points_to:
            own_type = self._type_of(kept.table, kept.columns[0])
            referenced_type = self._type_of(*kept.points_to)
            if own_type != referenced_type:
                raise Refused(f"1778: {name} refers from {own_type} to {referenced_type}")
        self.kept[name] = kept

    def _type_of(self, table: str, column: str) -> str:
        if column not in self.tables[table]:
            raise Refused(f"4924: {table} has no column {column}")
        return self.tables[table][column]

    def _create_table(self, table: str, inside: str) -> None:
        self.tables[table] = {}
        for part in _parts(inside):
            if match := re.fullmatch(rf"CONSTRAINT {_NAME} (.*)", part, re.DOTALL):
                self._constraint(table, *match.groups())
            else:
                self._column(table, *re.fullmatch(rf"{_NAME} (.*)", part, re.DOTALL).groups())  # type: ignore[union-attr]

    def _column(self, table: str, column: str, definition: str) -> None:
        type_ = _TYPE.match(definition)
        assert type_, definition
        self.tables[table][column] = type_[0]
        for word, kind in (
            *((" PRIMARY KEY", "PRIMARY KEY"), (" UNIQUE", "UNIQUE")),
            *((" CHECK ", "CHECK"), (" DEFAULT ", "DEFAULT")),
        ):
            if word in definition:
                named = (
                    re.search(rf"CONSTRAINT {_NAME} CHECK", definition) if kind == "CHECK" else None
                )
                name = named[1] if named else f"{kind[:2]}__{table[:9]}__{next(self._number):08X}"
                self._keep(name, Kept(kind, table, [column]))

    def _constraint(self, table: str, name: str, definition: str) -> None:
        kind = next(
            k for k in ("PRIMARY KEY", "UNIQUE", "FOREIGN KEY", "CHECK") if definition.startswith(k)
        )
        if kind == "CHECK":
            columns = [
                c for c in re.findall(r'[\["](\w+)[\]"]', definition) if c in self.tables[table]
            ]
        else:
            columns = re.findall(r"\[(\w+)\]", definition.partition("(")[2].partition(")")[0])
        match = re.search(rf"REFERENCES {_NAME} \({_NAME}\)", definition)
        self._keep(
            name, Kept(kind, table, columns, points_to=(match[1], match[2]) if match else None)
        )

    def _index(
        self, unique: str | None, name: str, table: str, columns: str, condition: str | None
    ) -> None:
        kind = "UNIQUE INDEX" if unique else "INDEX"
        indexed_columns = re.findall(r"\[(\w+)\]", columns)
        for column in indexed_columns:
            if "(max)" in self._type_of(table, column):
                raise Refused(f"1919: {column} of {table} cannot be in an index")
        self._keep(name, Kept(kind, table, indexed_columns, condition or ""))

    def _drop_index(self, name: str, table: str) -> None:
        if name not in dict(self._of(table, "INDEX", "UNIQUE INDEX")):
            raise Refused(f"3701: {table} has no index {name}")
        del self.kept[name]

    def _drop(self, table: str, name: str) -> None:
        constraint = self.kept.get(name)
        if constraint is None or constraint.table != table or "INDEX" in constraint.kind:
            raise Refused(f"3728: {name} is not a constraint of {table}")
        pointing = [n for n, k in self.kept.items() if (k.points_to or ("",))[0] == table]
        if constraint.kind == "PRIMARY KEY" and pointing:
            raise Refused(f"3725: {name} is referenced by {pointing}")
        del self.kept[name]

    def _alter_column(self, table: str, column: str, definition: str) -> None:
        self._nothing_depends_on(table, column, but="DEFAULT")
        type_ = _TYPE.match(definition)
        assert type_, definition
        self.tables[table][column] = type_[0]

    def _drop_column(self, table: str, column: str) -> None:
        self._nothing_depends_on(table, column)
        del self.tables[table][column]

    def _nothing_depends_on(self, table: str, column: str, but: str = "") -> None:
        self._type_of(table, column)
        on_it = {n: k for n, k in self.kept.items() if k.table == table and column in k.columns}
        left = sorted(name for name, kept in on_it.items() if kept.kind != but)
        left += [n for n, k in self.kept.items() if k.points_to == (table, column)]
        if left:
            raise Refused(f"5074: {', '.join(left)} depend on {column} of {table}")

    def _rename_column(self, table: str, old: str, new: str) -> None:
        for name, kept in self.kept.items():
            if kept.table == table and (
                (kept.kind == "CHECK" and old in kept.columns) or f"[{old}]" in kept.condition
            ):
                raise Refused(f"15336: {name} depends on the name of {old} of {table}")
        self.tables[table] = {new if c == old else c: t for c, t in self.tables[table].items()}
        for kept in self.kept.values():
            if kept.table == table:
                kept.columns = [new if column == old else column for column in kept.columns]
            if kept.points_to == (table, old):
                kept.points_to = (table, new)

    def _rename_table(self, old: str, new: str) -> None:
        self.tables[new] = self.tables.pop(old)
        for kept in self.kept.values():
            kept.table = new if kept.table == old else kept.table
            if kept.points_to and kept.points_to[0] == old:
                kept.points_to = (new, kept.points_to[1])


def _parts(inside: str) -> list[str]:
    """Split a list at its commas, but not at those inside brackets."""
    parts, depth = [""], 0
    for letter in inside:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
