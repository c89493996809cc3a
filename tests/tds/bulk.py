"""INSERT BULK: rows that follow as tokens, as a copy tool sends them."""

import re
import sqlite3
from collections.abc import Iterator
from typing import Any

from tests.tds import types, values
from tests.tds.definitions import plain, split
from tests.tds.refusals import named
from tests.tds.session import Done, Event, Result, Session
from tests.tds.tokens import Column, SqlError
from tests.tds.types import Reader, SqlType, Unreadable, declared, read_type, read_value

# The first batch of a copy tool, which is always the same.
_ASKED = re.compile(
    r"SELECT @@TRANCOUNT;\s+DECLARE @Column_Names.*OBJECT_ID\(N'(.*?)'\).*FMTONLY", re.DOTALL
)


def asked(session: Session, sql: str) -> Iterator[Event] | None:
    """Return the answer to the first batch of a copy tool; None for any other batch."""
    match = _ASKED.match(sql)
    return _described(session, plain(match[1].split(".")[-1])) if match else None


def _described(session: Session, name: str) -> Iterator[Event]:
    table = session.catalogue.get(name)
    yield Result([Column("", SqlType("int"))], [(session.transactions.count,)])
    yield Done(1, 0xC1)
    columns = [Column(c.name, c.type, c.nullable, c.identity) for c in table.columns]
    yield Result(columns, [])
    yield Done(0, 0xC1)
    number, text, few = SqlType("int"), SqlType("nvarchar", 128), SqlType("varbinary", 5)
    named = (("colid", number), ("name", text), ("tds_collation_100", few), ("collation_100", text))
    rows: list[tuple[Any, ...]] = []
    for place, column in enumerate(table.columns, 1):
        collation = types.BINARY_COLLATION if column.type.binary else types.DEFAULT_COLLATION
        collation_name = (
            "Latin1_General_100_BIN2" if column.type.binary else "SQL_Latin1_General_CP1_CI_AS"
        )
        collations = (collation, collation_name) if column.type.is_text else (None, None)
        rows.append((place, column.name, *collations))
    yield Result([Column(*column_values) for column_values in named], rows)
    yield Done(len(rows), 0xC1)


def announced(sql: str) -> tuple[str, list[str]] | None:
    """Return the table and columns of an INSERT BULK; None for any other batch."""
    if not re.match(r"\s*INSERT\s+BULK\b", sql, re.IGNORECASE):
        return None
    start = sql.index("(")
    depth, end = 0, start
    for end in range(start, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[end], 0)
        if depth == 0:
            break
    table = plain(re.sub(r"(?i)^\s*INSERT\s+BULK\s+", "", sql[:start]).strip().split(".")[-1])
    columns = []
    for part in split(sql[start + 1 : end]):
        name, type_ = re.match(r"\s*(\[[^\]]+\]|\w+)\s+(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
        declared(type_)
        columns.append(plain(name))
    return table, columns


def load(session: Session, table_name: str, names: list[str], data: bytes) -> int:
    """Store the rows of a message; how many there were. Raises SqlError and Unreadable."""
    table = session.catalogue.get(table_name)
    targets = [table.column(name) for name in names]
    reader = Reader(data)
    types = _columns(reader)
    if len(types) != len(targets):
        raise SqlError(4816, f"Invalid column information: {len(types)} for {len(targets)}.")
    marks = ", ".join("?" * len(names))
    columns = ", ".join(f"`{name}`" for name in names)
    place = "temp." if table.name.startswith("#") else ""
    sql = f"INSERT INTO {place}`{table.name}` ({columns}) VALUES ({marks})"
    count = 0
    try:
        with session.transactions.writing():
            for row in _rows(reader, types):
                converted_row = [
                    values.converted(value, target.type, f"{table.name}.{target.name}")
                    for value, target in zip(row, targets, strict=True)
                ]
                session.link.execute(sql, converted_row)
                count += 1
    except sqlite3.Error as error:
        raise named(error, session.failures, session.catalogue) from error
    return count


def _columns(reader: Reader) -> list[tuple[SqlType, int]]:
    if reader.number(1) != 0x81:
        raise Unreadable("no COLMETADATA before the rows")
    types = []
    for _ in range(reader.number(2)):
        reader.take(6)
        types.append(read_type(reader))
        reader.text()
    return types


def _rows(reader: Reader, types: list[tuple[SqlType, int]]) -> Any:
    while reader.left:
        token = reader.number(1)
        if token == 0xD1:
            yield [read_value(reader, *type_) for type_ in types]
        elif token == 0xD2:
            bitmap = reader.take((len(types) + 7) // 8)
            yield [
                None if bitmap[i // 8] >> i % 8 & 1 else read_value(reader, *type_)
                for i, type_ in enumerate(types)
            ]
        elif token in (0xFD, 0xFE, 0xFF):
            return
        else:
            raise Unreadable(f"token 0x{token:02X} among the rows")
