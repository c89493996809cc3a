"""ALTER TABLE and sp_rename: a new table is made, and the rows are copied."""

import re

from tests.tds.catalogue import Table
from tests.tds.definitions import Definitions, plain, split
from tests.tds.tokens import SqlError
from tests.tds.types import declared

_ALTER = re.compile(
    r"ALTER\s+TABLE\s+(?:\[?dbo\]?\.)?(\[[^\]]+\]|\w+)\s+(.*)", re.IGNORECASE | re.DOTALL
)
_CHECKING = re.compile(
    r"(?:WITH\s+(?:NO)?CHECK\s+)?(?:NOCHECK|CHECK)\s+CONSTRAINT\s+\S+", re.IGNORECASE
)


class Alterations(Definitions):
    """The changes of tables that a session may make. Methods raise SqlError."""

    def alter(self, sql: str) -> None:
        match = _ALTER.fullmatch(sql.strip().rstrip(";"))
        if not match:
            raise SqlError(102, f"Incorrect syntax near '{sql[:200]}'.", 15)
        table = self._catalogue.get(plain(match[1]))
        action = match[2].strip()
        if _CHECKING.fullmatch(action):
            if "WITH CHECK" in action.upper():
                self._check_keys(table)
            table.unchecked = not re.search(r"\bCHECK CONSTRAINT", action, re.IGNORECASE)
            self._catalogue.keep(table)
            return
        old = [column.name for column in table.columns]
        if change := re.fullmatch(r"ALTER\s+COLUMN\s+(.*)", action, re.IGNORECASE | re.DOTALL):
            self._change(table, change[1])
        elif change := re.fullmatch(r"DROP\s+COLUMN\s+(.*)", action, re.IGNORECASE | re.DOTALL):
            old.remove(self._without_column(table, plain(change[1])))
        elif change := re.fullmatch(r"DROP\s+CONSTRAINT\s+(.*)", action, re.IGNORECASE | re.DOTALL):
            self._without_constraint(table, plain(change[1]))
        elif change := re.fullmatch(
            r"(?:WITH\s+\w+\s+)?ADD\s+(.*)", action, re.IGNORECASE | re.DOTALL
        ):
            self._add(table, change[1])
        else:
            raise SqlError(102, f"Incorrect syntax near '{action[:200]}'.", 15)
        self._rebuild(table, old)

    def _check_keys(self, table: Table) -> None:
        for key in table.keys:
            query = (
                f"SELECT count(*) FROM `{table.name}` WHERE `{key.column}` IS NOT NULL"
                f" AND `{key.column}` NOT IN (SELECT `{key.to}` FROM `{key.table}`)"
            )
            if self._link.execute(query).fetchone()[0]:
                raise SqlError(547, f'The ALTER TABLE statement conflicted with "{key.name}".')

    def _change(self, table: Table, text: str) -> None:
        name, rest = text.strip().split(None, 1)
        column = table.column(plain(name))
        for index in table.indexes:
            uses = column.name in [key for key, _ in index.columns] or (
                index.where and re.search(rf"\b{column.name}\b", index.where)
            )
            collation = re.search(r"COLLATE\s+(\w+)", rest, re.IGNORECASE)
            type_ = declared(rest, binary=bool(collation and "BIN" in collation[1].upper()))
            only_longer = type_.is_text and type_.name == column.type.name
            if uses and not (only_longer and type_.size >= column.type.size > 0):
                text = f"The object '{index.name}' is dependent on column '{column.name}'."
                raise SqlError(5074, text)
        if column.default is not None and str(declared(rest)) != str(column.type):
            raise SqlError(5074, f"The default of '{column.name}' is dependent on it.")
        collation = re.search(r"COLLATE\s+(\w+)", rest, re.IGNORECASE)
        column.type = declared(rest, binary=bool(collation and "BIN" in collation[1].upper()))
        column.nullable = not re.search(r"\bNOT\s+NULL\b", rest, re.IGNORECASE)

    def _without_column(self, table: Table, name: str) -> str:
        column = table.column(name)
        uses: list[str] = [i.name for i in table.indexes if name in [key for key, _ in i.columns]]
        uses += [
            check
            for check, its, condition in table.checks
            if its == name or f"[{name}]" in condition
        ]
        uses += [key.name for key in table.keys if key.column == name]
        uses += ["its default"] if column.default is not None else []
        if uses:
            raise SqlError(5074, f"The object '{uses[0]}' is dependent on column '{name}'.")
        table.columns.remove(column)
        return column.name

    def _without_constraint(self, table: Table, name: str) -> None:
        query = (
            "SELECT c.name FROM sys_default_constraints d JOIN sys_columns c ON c.object_id ="
            " d.parent_object_id AND c.column_id = d.parent_column_id WHERE d.name = ?"
        )
        default = self._link.execute(query, [name]).fetchone()
        checks = [check for check in table.checks if check[0].lower() != name.lower()]
        keys = [key for key in table.keys if key.name.lower() != name.lower()]
        if default:
            table.column(default[0]).default = None
        elif len(checks) < len(table.checks):
            table.checks = checks
        elif len(keys) < len(table.keys):
            table.keys = keys
        else:
            self._without_index(table, name)

    def _add(self, table: Table, text: str) -> None:
        default = re.fullmatch(
            r"DEFAULT\s+(.*)\s+FOR\s+(\S+)", text.strip(), re.IGNORECASE | re.DOTALL
        )
        if default:
            table.column(plain(default[2])).default = default[1].strip()
            return
        (rows,) = self._link.execute(f"SELECT count(*) FROM `{table.name}`").fetchone()
        before = len(table.columns)
        for part in split(text):
            self._part(table, part.strip())
        for column in table.columns[before:]:
            if rows and not column.nullable and column.default is None:
                text = f"ALTER TABLE cannot add column '{column.name}' that takes no nulls."
                raise SqlError(4901, text)
        self._check_keys(table)

    def _rebuild(self, table: Table, old: list[str]) -> None:
        name, made = table.name, f"{table.name}__made"
        query = "SELECT seq FROM sqlite_sequence WHERE name = ?"
        last = self._link.execute(query, [name]).fetchone()
        for (index,) in self._link.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
            [name],
        ).fetchall():
            self._link.execute(f"DROP INDEX `{index}`")
        indexes, table.indexes = table.indexes, []
        self._make(table, made)
        columns = ", ".join(f"`{column}`" for column in old)
        self._link.execute(f"INSERT INTO `{made}` ({columns}) SELECT {columns} FROM `{name}`")
        self._link.execute(f"DROP TABLE `{name}`")
        self._link.execute(f"ALTER TABLE `{made}` RENAME TO `{name}`")
        if last:
            self._link.execute("DELETE FROM sqlite_sequence WHERE name = ?", [name])
            self._link.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [name, *last]
            )
        table.indexes = indexes
        for index in indexes:
            self._make_index(table, index, name)
        self._catalogue.keep(table)

    def rename(self, name: str, new: str, kind: str) -> None:
        parts = [plain(part) for part in re.findall(r"\[[^\]]+\]|\w+", name)]
        table = self._catalogue.get(parts[0])
        if kind.upper() == "COLUMN":
            old = table.column(parts[1]).name
            self._link.execute(f"ALTER TABLE `{table.name}` RENAME COLUMN `{old}` TO `{new}`")
            self._renamed(table, old, new)
            self._catalogue.keep(table)
            return
        self._link.execute(f"ALTER TABLE `{table.name}` RENAME TO `{new}`")
        for index in table.indexes:
            self._link.execute(f"DROP INDEX IF EXISTS `{table.name}__{index.name}`")
            self._make_index(table, index, new)
        for other in self._catalogue.all():
            for key in other.keys:
                key.table = new if key.table == table.name else key.table
            self._catalogue.keep(other)
        self._catalogue.rename(table.name, new)

    def _renamed(self, table: Table, old: str, new: str) -> None:
        table.column(old).name = new
        for index in table.indexes:
            index.columns = [(new if key == old else key, down) for key, down in index.columns]
            index.where = index.where and index.where.replace(f"[{old}]", f"[{new}]")
        for key in table.keys:
            key.column = new if key.column == old else key.column
        table.checks = [
            (name, new if its == old else its, condition.replace(f"[{old}]", f"[{new}]"))
            for name, its, condition in table.checks
        ]
