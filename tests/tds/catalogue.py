"""The catalogue of tables, and SQL Server's views of it. It is stored in the file of the tables."""

import dataclasses
import json
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar, cast

from tests.tds.tokens import SqlError
from tests.tds.types import SqlType, declared

Made = TypeVar("Made")
_TABLES = """
    CREATE TABLE IF NOT EXISTS ts_table (
        object_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE COLLATE CI,
        definition TEXT NOT NULL);
    CREATE VIEW IF NOT EXISTS sys_schemas AS SELECT 'dbo' AS name, 1 AS schema_id;
    CREATE VIEW IF NOT EXISTS sys_tables AS
        SELECT object_id, name, 1 AS schema_id, 'U ' AS type, 'USER_TABLE' AS type_desc FROM ts_table;
    CREATE VIEW IF NOT EXISTS sys_columns AS
        SELECT t.object_id, c.key + 1 AS column_id, c.value ->> 'name' AS name,
            c.value ->> 'collation' AS collation_name, c.value ->> 'identity' AS is_identity,
            c.value ->> 'nullable' AS is_nullable, c.value ->> 'type' AS declared,
            c.value ->> 'default' AS its_default
        FROM ts_table t JOIN json_each(t.definition, '$.columns') AS c;
    CREATE VIEW IF NOT EXISTS sys_default_constraints AS
        SELECT object_id AS parent_object_id, column_id AS parent_column_id,
            'DF_' || object_id || '_' || column_id AS name FROM sys_columns WHERE its_default IS NOT NULL;
    CREATE VIEW IF NOT EXISTS sys_extended_properties AS
        SELECT 0 AS major_id, 0 AS minor_id, 'x' AS name, 'x' AS value WHERE 1 = 0;
    CREATE VIEW IF NOT EXISTS sys_indexes AS
        SELECT t.object_id, i.key + 1 AS index_id, i.value ->> 'name' AS name,
            i.value ->> 'unique' AS is_unique,
            i.value ->> 'primary' AS is_primary_key, i.value ->> 'constraint' AS is_unique_constraint,
            CASE WHEN i.value ->> 'primary' THEN 1 ELSE 2 END AS type,
            i.value ->> 'where' AS filter_definition,
            CASE WHEN i.value ->> 'primary' THEN 'CLUSTERED' ELSE 'NONCLUSTERED' END AS type_desc
        FROM ts_table t JOIN json_each(t.definition, '$.indexes') AS i;
    CREATE VIEW IF NOT EXISTS sys_index_columns AS
        SELECT t.object_id, i.key + 1 AS index_id, k.key + 1 AS index_column_id, c.key + 1 AS column_id,
            k.value ->> 1 AS is_descending_key
        FROM ts_table t JOIN json_each(t.definition, '$.indexes') AS i
        JOIN json_each(i.value, '$.columns') AS k
        JOIN json_each(t.definition, '$.columns') AS c ON lower(c.value ->> 'name') = lower(k.value ->> 0);
    CREATE VIEW IF NOT EXISTS sys_check_constraints AS
        SELECT t.object_id AS parent_object_id, c.value ->> 0 AS name, c.value ->> 1 AS column_name
        FROM ts_table t JOIN json_each(t.definition, '$.checks') AS c;
    CREATE VIEW IF NOT EXISTS sys_foreign_keys AS
        SELECT t.object_id AS parent_object_id, f.value ->> 'name' AS name,
            r.object_id AS referenced_object_id,
            f.value ->> 'column' AS its_column, f.value ->> 'to' AS to_column, 'dbo' AS schema_name
        FROM ts_table t JOIN json_each(t.definition, '$.keys') AS f
        JOIN ts_table r ON lower(r.name) = lower(f.value ->> 'table');
    CREATE VIEW IF NOT EXISTS sys_foreign_key_columns AS
        SELECT f.parent_object_id, f.referenced_object_id, p.column_id AS parent_column_id,
            r.column_id AS referenced_column_id
        FROM sys_foreign_keys f
        JOIN sys_columns p ON p.object_id = f.parent_object_id AND lower(p.name) = lower(f.its_column)
        JOIN sys_columns r ON r.object_id = f.referenced_object_id AND lower(r.name) = lower(f.to_column);
    CREATE VIEW IF NOT EXISTS sys_identity_columns AS
        SELECT object_id, name, column_id, ts_last_value(object_id) AS last_value
        FROM sys_columns WHERE is_identity;
    CREATE VIEW IF NOT EXISTS sys_databases AS
        SELECT ts_db_name() AS name, 1 AS is_read_committed_snapshot_on, 160 AS compatibility_level,
            'SQL_Latin1_General_CP1_CI_AS' AS collation_name;
    CREATE VIEW IF NOT EXISTS sys_database_files AS SELECT ts_db_name() AS name, 0 AS type;
    CREATE VIEW IF NOT EXISTS info_TABLES AS
        SELECT 'dbo' AS TABLE_SCHEMA, name AS TABLE_NAME, 'BASE TABLE' AS TABLE_TYPE FROM ts_table;
    CREATE VIEW IF NOT EXISTS info_TABLE_CONSTRAINTS AS
        SELECT 'dbo' AS TABLE_SCHEMA, t.name AS TABLE_NAME, i.name AS CONSTRAINT_NAME,
            CASE WHEN i.is_primary_key THEN 'PRIMARY KEY' ELSE 'UNIQUE' END AS CONSTRAINT_TYPE
        FROM sys_indexes i JOIN ts_table t USING (object_id) WHERE i.is_primary_key OR i.is_unique_constraint
        UNION ALL SELECT 'dbo', t.name, f.name, 'FOREIGN KEY'
        FROM sys_foreign_keys f JOIN ts_table t ON t.object_id = f.parent_object_id
        UNION ALL SELECT 'dbo', t.name, c.name, 'CHECK'
        FROM sys_check_constraints c JOIN ts_table t ON t.object_id = c.parent_object_id;
    CREATE VIEW IF NOT EXISTS info_KEY_COLUMN_USAGE AS
        SELECT 'dbo' AS TABLE_SCHEMA, t.name AS TABLE_NAME, i.name AS CONSTRAINT_NAME,
            c.name AS COLUMN_NAME,
            k.index_column_id AS ORDINAL_POSITION
        FROM sys_indexes i JOIN ts_table t USING (object_id)
        JOIN sys_index_columns k USING (object_id, index_id)
        JOIN sys_columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
        WHERE i.is_primary_key OR i.is_unique_constraint
        UNION ALL SELECT 'dbo', t.name, f.name, f.its_column, 1
        FROM sys_foreign_keys f JOIN ts_table t ON t.object_id = f.parent_object_id;
    CREATE VIEW IF NOT EXISTS info_CONSTRAINT_COLUMN_USAGE AS
        SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME FROM info_KEY_COLUMN_USAGE
        UNION ALL SELECT 'dbo', t.name, c.name, c.column_name
        FROM sys_check_constraints c JOIN ts_table t ON t.object_id = c.parent_object_id
        WHERE c.column_name IS NOT NULL;
"""


@dataclasses.dataclass
class TableColumn:
    name: str
    type: SqlType
    nullable: bool = True
    identity: bool = False
    default: str | None = None  # in T-SQL


@dataclasses.dataclass
class Index:
    name: str
    columns: list[tuple[str, bool]]  # the name, and whether it descends
    unique: bool = False
    primary: bool = False
    constraint: bool = False
    where: str | None = None  # in T-SQL


@dataclasses.dataclass
class ForeignKey:
    name: str
    column: str
    table: str
    to: str


@dataclasses.dataclass
class Table:
    name: str
    columns: list[TableColumn]
    indexes: list[Index] = dataclasses.field(default_factory=list)
    checks: list[tuple[str, str | None, str]] = dataclasses.field(default_factory=list)
    keys: list[ForeignKey] = dataclasses.field(default_factory=list)
    unchecked: bool = False  # its foreign keys are not looked at
    definition: str = dataclasses.field(default="", compare=False)  # as JSON, as it is stored

    def column(self, name: str) -> TableColumn:
        for column in self.columns:
            if column.name.lower() == name.lower():
                return column
        raise SqlError(207, f"Invalid column name '{name}'.")

    @property
    def identity(self) -> TableColumn | None:
        return next((column for column in self.columns if column.identity), None)

    def as_json(self) -> str:
        columns = [
            {
                "name": c.name,
                "type": str(c.type),
                "nullable": int(c.nullable),
                "identity": int(c.identity),
                "default": c.default,
                "collation": _collation(c.type),
                "binary": c.type.binary,
            }
            for c in self.columns
        ]
        indexes = [{**vars(index), "constraint": int(index.constraint)} for index in self.indexes]
        for index in indexes:
            index |= {"unique": int(index["unique"]), "primary": int(index["primary"])}
            index["columns"] = [[name, int(down)] for name, down in index["columns"]]
        keys = [vars(key) for key in self.keys]
        values = {"columns": columns, "indexes": indexes, "checks": self.checks, "keys": keys}
        return json.dumps({**values, "unchecked": self.unchecked})


def _collation(type_: SqlType) -> str | None:
    if not type_.is_text:
        return None
    return "Latin1_General_100_BIN2" if type_.binary else "SQL_Latin1_General_CP1_CI_AS"


def table_of_json(name: str, text: str) -> Table:
    values = json.loads(text)
    columns = [
        TableColumn(
            c["name"],
            declared(c["type"], binary=c["binary"]),
            bool(c["nullable"]),
            bool(c["identity"]),
            c["default"],
        )
        for c in values["columns"]
    ]
    indexes = [
        Index(
            i["name"],
            [(n, bool(down)) for n, down in i["columns"]],
            bool(i["unique"]),
            bool(i["primary"]),
            bool(i["constraint"]),
            i["where"],
        )
        for i in values["indexes"]
    ]
    checks = [(n, c, s) for n, c, s in values["checks"]]
    keys = [ForeignKey(**key) for key in values["keys"]]
    return Table(name, columns, indexes, checks, keys, values["unchecked"], text)


class Catalogue:
    """The tables of a database, and the temporary ones of a session."""

    def __init__(self, link: sqlite3.Connection) -> None:
        self._link = link
        self.temporary: dict[str, Table] = {}
        self.used_definitions: dict[str, str] = {}  # of the tables looked up since this was emptied
        self._known: tuple[Any, dict[str, Table | None]] = (None, {})

    @property
    def _cookie(self) -> tuple[int, int]:
        (schema,) = self._link.execute("PRAGMA main.schema_version").fetchone()
        (own,) = self._link.execute("PRAGMA main.user_version").fetchone()
        return schema, own

    def find(self, name: str) -> Table | None:
        table = self._find(name)
        self.used_definitions[name] = table.definition if table else ""
        return table

    def get_cached(self, made: dict[Any, Any], key: Any, make: Callable[[], Made]) -> Made:
        """Return what `make` made of a statement before, unless a table that it used has changed since."""
        entry = made.get(key)
        if entry is None or any(
            self._get_definition(name) != definition for name, definition in entry[0].items()
        ):
            self.used_definitions = {}
            new = make()
            entry = made[key] = (self.used_definitions, new)
        return cast(Made, entry[1])

    def _get_definition(self, name: str) -> str:
        table = self._find(name)
        return table.definition if table else ""

    def _find(self, name: str) -> Table | None:
        if name.startswith("#"):
            return self.temporary.get(name.lower())
        cookie = self._cookie
        if self._known[0] != cookie:
            self._known = (cookie, {})
        known = self._known[1]
        if name.lower() not in known:
            query = "SELECT name, definition FROM ts_table WHERE name = ?"
            row = self._link.execute(query, [name]).fetchone()
            known[name.lower()] = table_of_json(*row) if row else None
        return known[name.lower()]

    def get(self, name: str) -> Table:
        table = self.find(name)
        if table is None:
            raise SqlError(208, f"Invalid object name '{name}'.")
        return table

    def keep(self, table: Table) -> None:
        table.definition = table.as_json()
        if table.name.startswith("#"):
            self.temporary[table.name.lower()] = table
            return
        self._known[1].clear()
        self._link.execute(f"PRAGMA main.user_version = {self._cookie[1] + 1}")
        self._link.execute(
            "INSERT INTO ts_table (name, definition) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET definition = excluded.definition, name = excluded.name",
            [table.name, table.definition],
        )

    def rename(self, old: str, new: str) -> None:
        self._known[1].clear()
        self._link.execute("UPDATE ts_table SET name = ? WHERE name = ?", [new, old])

    def forget(self, name: str) -> None:
        if name.startswith("#"):
            self.temporary.pop(name.lower(), None)
            return
        self._known[1].clear()
        self._link.execute("DELETE FROM ts_table WHERE name = ?", [name])

    def all(self) -> list[Table]:
        names = self._link.execute("SELECT name FROM ts_table").fetchall()
        return [self.get(name) for (name,) in names]

    def forget_lost(self) -> None:
        """Forget the temporary tables that a rollback has removed."""
        self._known[1].clear()
        rows = self._link.execute("SELECT lower(name) FROM temp.sqlite_master WHERE type = 'table'")
        names = {name for (name,) in rows}
        for name in list(self.temporary):
            if name not in names:
                del self.temporary[name]


def prepare(link: sqlite3.Connection) -> None:
    link.executescript(_TABLES)
