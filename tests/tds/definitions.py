"""CREATE, ALTER and DROP of tables and indexes."""

import re
import sqlite3
from collections.abc import Callable

from tests.tds.catalogue import Catalogue, ForeignKey, Index, Table, TableColumn
from tests.tds.tokens import SqlError
from tests.tds.types import declared

_NAME = r"(?:\[?dbo\]?\.)?(\[[^\]]+\]|[#\w]+)"
_TYPE = re.compile(
    r"\s*(double precision|\[?\w+\]?(?:\s*\([^)]*\))?)(.*)", re.IGNORECASE | re.DOTALL
)
_REFERENCE = re.compile(
    rf"(?:CONSTRAINT\s+{_NAME}\s+)?FOREIGN\s+KEY\s*\(({'[^)]+'})\)\s*REFERENCES\s+{_NAME}\s*\(([^)]+)\)",
    re.IGNORECASE,
)
_KEYS = re.compile(
    rf"(?:CONSTRAINT\s+{_NAME}\s+)?(PRIMARY\s+KEY|UNIQUE)(?:\s+(?:NON)?CLUSTERED)?\s*\(([^)]+)\)",
    re.IGNORECASE,
)
_CHECK = re.compile(rf"(?:CONSTRAINT\s+{_NAME}\s+)?CHECK\s*\((.*)\)\s*", re.IGNORECASE | re.DOTALL)
_INDEX = re.compile(
    rf"CREATE\s+(UNIQUE\s+)?(?:(?:NON)?CLUSTERED\s+)?INDEX\s+{_NAME}\s+ON\s+{_NAME}\s*\(([^)]+)\)"
    r"(?:\s*INCLUDE\s*\([^)]+\))?(?:\s+WHERE\s+(.*?))?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)


def plain(name: str) -> str:
    return name.strip().strip("[]")


def split(text: str) -> list[str]:
    """Return the parts of a text between the commas that are in no brackets."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, letter in enumerate(text):
        quoted ^= letter == "'"
        if not quoted:
            depth += {"(": 1, ")": -1}.get(letter, 0)
            if letter == "," and depth == 0:
                parts.append(text[start:at])
                start = at + 1
    return [*parts, text[start:]]


def ordered(text: str) -> list[tuple[str, bool]]:
    columns = []
    for part in split(text):
        words = part.split()
        columns.append((plain(words[0]), len(words) > 1 and words[-1].upper() == "DESC"))
    return columns


class Definitions:
    """The definitions that a session may make. `expression` translates a condition into SQLite's SQL."""

    def __init__(
        self,
        link: sqlite3.Connection,
        catalogue: Catalogue,
        expression: Callable[[str, Table | None], str],
    ) -> None:
        self._link, self._catalogue, self._expression = link, catalogue, expression
        self._count = 0

    def create_table(self, name: str, body: str) -> None:
        table = Table(plain(name), [])
        if self._catalogue.find(table.name) is not None:
            raise SqlError(
                2714, f"There is already an object named '{table.name}' in the database."
            )
        for part in split(body):
            self._part(table, part.strip())
        self._make(table, table.name)
        self._catalogue.keep(table)

    def keep_made(self, table: Table) -> None:
        """Create the table of SELECT INTO, which has no keys."""
        if self._catalogue.find(table.name) is not None:
            raise SqlError(
                2714, f"There is already an object named '{table.name}' in the database."
            )
        self._make(table, table.name)
        self._catalogue.keep(table)

    def _part(self, table: Table, part: str) -> None:
        if match := _REFERENCE.match(part):
            name = plain(match[1] or self._named("FK", table))
            self._add_key(
                table, ForeignKey(name, plain(match[2]), plain(match[3]), plain(match[4]))
            )
        elif match := _KEYS.match(part):
            self._add_index(table, match[1], match[2], match[3])
        elif match := _CHECK.fullmatch(part):
            table.checks.append((plain(match[1] or self._named("CK", table)), None, match[2]))
        else:
            self._add_column(table, part)

    def _add_key(self, table: Table, key: ForeignKey) -> None:
        parent = table if key.table == table.name else self._catalogue.get(key.table)
        referenced, referencing = parent.column(key.to), table.column(key.column)
        if str(referenced.type) != str(referencing.type):
            raise SqlError(1778, f"Column '{key.to}' is not the same data type as '{key.column}'.")
        if not any(
            i.unique and [c for c, _ in i.columns] == [referenced.name] for i in parent.indexes
        ):
            raise SqlError(
                1776, f"There are no primary or candidate keys in '{key.table}' for {key.name}."
            )
        table.keys.append(key)

    def _named(self, kind: str, table: Table) -> str:
        self._count += 1
        return f"{kind}__{table.name[:20]}__{id(self):X}{self._count:04}"

    def _add_index(self, table: Table, name: str | None, kind: str, columns: str) -> None:
        primary = kind.upper().startswith("PRIMARY")
        named = plain(name) if name else self._named("PK" if primary else "UQ", table)
        keys = ordered(columns)
        for column, _ in keys:
            its = table.column(column)
            if primary and its.nullable:
                raise SqlError(8111, f"Cannot define PRIMARY KEY on nullable column '{column}'.")
            if its.type.is_text and its.type.size == -1:
                raise SqlError(
                    1919, f"Column '{column}' is of a type that is invalid as a key column."
                )
        table.indexes.append(Index(named, keys, True, primary, not primary))

    def _add_column(self, table: Table, text: str) -> TableColumn:
        match = re.match(rf"\s*{_NAME}\s+(.*)", text, re.DOTALL)
        typed = _TYPE.match(match[2]) if match else None
        if not match or not typed:
            raise SqlError(102, f"Incorrect syntax near '{text}'.", 15)
        name, rest = plain(match[1]), typed[2]
        collation = re.search(r"\bCOLLATE\s+(\w+)", rest, re.IGNORECASE)
        type_ = declared(typed[1], binary=bool(collation and "BIN" in collation[1].upper()))
        column = TableColumn(name, type_)
        column.nullable = not re.search(r"\bNOT\s+NULL\b|\bPRIMARY\s+KEY\b", rest, re.IGNORECASE)
        column.identity = bool(re.search(r"\bIDENTITY\b", rest, re.IGNORECASE))
        default = re.search(
            r"\bDEFAULT\s+(\((?:[^()]|\([^()]*\))*\)|N?'(?:[^']|'')*'|[-\w.]+)", rest, re.IGNORECASE
        )
        column.default = default[1] if default else None
        table.columns.append(column)
        if re.search(r"\bPRIMARY\s+KEY\b", rest, re.IGNORECASE):
            self._add_index(table, None, "PRIMARY KEY", f"[{name}]")
        if re.search(r"\bUNIQUE\b", rest, re.IGNORECASE):
            self._add_index(table, None, "UNIQUE", f"[{name}]")
        checked = re.search(
            rf"(?:CONSTRAINT\s+{_NAME}\s+)?CHECK\s*\((.*)\)", rest, re.IGNORECASE | re.DOTALL
        )
        if checked:
            named = plain(checked[1] or self._named("CK", table))
            table.checks.append((named, name, checked[2]))
        return column

    def _make(self, table: Table, name: str) -> None:
        parts = [self._declared(table, column) for column in table.columns]
        for check, _, condition in table.checks:
            parts.append(f"CONSTRAINT `{check}` CHECK ({self._expression(condition, table)})")
        place = "temp." if name.startswith("#") else ""
        self._link.execute(f"CREATE TABLE {place}`{name}` ({', '.join(parts)})")
        for index in table.indexes:
            self._make_index(table, index, name)

    def _declared(self, table: Table, column: TableColumn) -> str:
        type_ = column.type
        kind = "INTEGER" if type_.is_number else "BLOB" if "binary" in type_.name else "TEXT"
        kind = {"float": "REAL", "decimal": "TEXT COLLATE DEC"}.get(type_.name, kind)
        if type_.name == "datetimeoffset":
            kind += " COLLATE DTO"
        if type_.is_text:
            kind += " COLLATE BIN2" if type_.binary else " COLLATE CI"
        definition = f"`{column.name}` {kind}"
        if column.identity:
            return f"{definition} PRIMARY KEY AUTOINCREMENT"
        if not column.nullable:
            definition += " NOT NULL"
        if column.default is not None:
            value = self._expression(f"CAST({column.default} AS {type_})", None)
            definition += f" DEFAULT ({value})"
        return definition

    def _make_index(self, table: Table, index: Index, name: str) -> None:
        keys = ", ".join(f"`{key}` {'DESC' if down else 'ASC'}" for key, down in index.columns)
        if [key for key, _ in index.columns] == [c.name for c in table.columns if c.identity]:
            return
        index_name = f"`{name}__{index.name}`"
        place, unique = ("temp." if name.startswith("#") else ""), "UNIQUE " if index.unique else ""
        where = f" WHERE {self._expression(index.where, table)}" if index.where else ""
        nulls_once = index.constraint and any(
            table.column(key).nullable for key, _ in index.columns
        )
        if nulls_once:  # SQL Server takes one NULL there, SQLite many
            keys = ", ".join(f"ifnull(`{key}`, 'NULL')" for key, _ in index.columns)
        self._link.execute(f"CREATE {unique}INDEX {place}{index_name} ON `{name}` ({keys}){where}")

    def create_index(self, sql: str) -> None:
        match = _INDEX.fullmatch(sql.strip())
        if not match:
            raise SqlError(102, f"Incorrect syntax near '{sql[:200]}'.", 15)
        table = self._catalogue.get(plain(match[3]))
        index = Index(plain(match[2]), ordered(match[4]), bool(match[1]), where=match[5])
        if any(known.name.lower() == index.name.lower() for known in table.indexes):
            raise SqlError(
                1913, f"The index '{index.name}' already exists on table '{table.name}'."
            )
        size = 0
        for key, _ in index.columns:
            type_ = table.column(key).type
            if type_.size == -1:
                raise SqlError(
                    1919, f"Column '{key}' is of a type that is invalid as a key column."
                )
            size += type_.size * 2 if type_.is_text else 8
        if size > 1700 and index.unique:
            raise SqlError(1946, f"The index '{index.name}' has a key of {size} bytes.")
        table.indexes.append(index)
        self._make_index(table, index, table.name)
        self._catalogue.keep(table)

    def drop_index(self, name: str, table_name: str) -> None:
        table = self._catalogue.get(plain(table_name))
        self._without_index(table, plain(name))
        self._catalogue.keep(table)

    def _without_index(self, table: Table, name: str) -> None:
        for index in table.indexes:
            if index.name.lower() == name.lower():
                table.indexes.remove(index)
                self._link.execute(f"DROP INDEX IF EXISTS `{table.name}__{index.name}`")
                return
        raise SqlError(3701, f"Cannot drop '{name}', because it does not exist.", 11)

    def drop_table(self, name: str, *, if_exists: bool) -> None:
        name = plain(name)
        if self._catalogue.find(name) is None:
            if if_exists:
                return
            raise SqlError(3701, f"Cannot drop the table '{name}', because it does not exist.", 11)
        for other in [] if name.startswith("#") else self._catalogue.all():
            if other.name != name and any(key.table == name for key in other.keys):
                raise SqlError(3726, f"Could not drop '{name}': {other.name} points to it.")
        self._link.execute(f"DROP TABLE {'temp.' if name.startswith('#') else ''}`{name}`")
        self._catalogue.forget(name)
