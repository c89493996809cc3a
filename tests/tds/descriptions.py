"""sp_describe_undeclared_parameters: of which types the parameters of a statement would best be."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from sqlglot import expressions as exp

from tests.tds.batch import Batch, Plain
from tests.tds.dialects import read
from tests.tds.session import Done, Event, Result, Session
from tests.tds.tokens import Column, SqlError
from tests.tds.typed import Typer, name_of
from tests.tds.types import SqlType, type_info

_INT, _NAME = SqlType("int"), SqlType("nvarchar", 128)
_SMALL, _TINY, _BIT = SqlType("smallint"), SqlType("tinyint"), SqlType("bit")
_COLUMNS = (
    ("parameter_ordinal", _INT), ("name", _NAME), ("suggested_system_type_id", _INT),
    ("suggested_system_type_name", SqlType("nvarchar", 256)), ("suggested_max_length", _SMALL),
    ("suggested_precision", _TINY), ("suggested_scale", _TINY), ("suggested_user_type_id", _INT),
    ("suggested_user_type_database", _NAME), ("suggested_user_type_schema", _NAME),
    ("suggested_user_type_name", _NAME),
    ("suggested_assembly_qualified_type_name", SqlType("nvarchar", 4000)),
    ("suggested_xml_collection_id", _INT), ("suggested_xml_collection_database", _NAME),
    ("suggested_xml_collection_schema", _NAME), ("suggested_xml_collection_name", _NAME),
    ("suggested_is_xml_document", _BIT), ("suggested_is_case_sensitive", _BIT),
    ("suggested_is_fixed_length_clr_type", _BIT), ("suggested_is_input", _BIT),
    ("suggested_is_output", _BIT), ("formal_parameter_name", _NAME), ("suggested_tds_type_id", _INT),
    ("suggested_tds_length", _INT),
)  # fmt: skip
_IDS = {
    "bigint": 127, "int": 56, "smallint": 52, "tinyint": 48, "bit": 104, "float": 62, "decimal": 106,
    "nvarchar": 231, "nchar": 239, "varchar": 167, "char": 175, "varbinary": 165, "binary": 173,
    "date": 40, "time": 41, "datetime2": 42, "datetimeoffset": 43, "uniqueidentifier": 36,
}  # fmt: skip


ODBC = {
    "bigint": -5, "int": 4, "smallint": 5, "tinyint": -6, "bit": -7, "float": 6, "decimal": 3,
    "nvarchar": -9, "nchar": -8, "varchar": 12, "char": 1, "varbinary": -3, "binary": -2, "date": 91,
    "datetime2": 93, "datetimeoffset": -155, "time": -154, "uniqueidentifier": -11,
}  # fmt: skip
_LENGTHS = {
    "bigint": 8, "int": 4, "smallint": 2, "tinyint": 1, "bit": 1, "float": 8, "decimal": 17, "date": 3,
    "time": 5, "datetime2": 8, "datetimeoffset": 10, "uniqueidentifier": 16,
}  # fmt: skip
_DIGITS = {"bigint": 19, "int": 10, "smallint": 5, "float": 53, "date": 10, "datetimeoffset": 34}
_LONGEST = {
    "nvarchar": 4000,
    "varchar": 8000,
    "varbinary": 8000,
    "datetime2": 27,
    "datetimeoffset": 34,
}
_INFO = (
    *("TYPE_NAME", "DATA_TYPE", "PRECISION", "LITERAL_PREFIX", "LITERAL_SUFFIX", "CREATE_PARAMS"),
    *("NULLABLE", "CASE_SENSITIVE", "SEARCHABLE", "UNSIGNED_ATTRIBUTE", "MONEY", "AUTO_INCREMENT"),
    *("LOCAL_TYPE_NAME", "MINIMUM_SCALE", "MAXIMUM_SCALE", "SQL_DATA_TYPE", "SQL_DATETIME_SUB"),
    *("NUM_PREC_RADIX", "INTERVAL_PRECISION", "USERTYPE"),
)


def types(code: int) -> Iterator[Event]:
    """sp_datatype_info_100: how long a value of a type of ODBC's may be."""
    texts = {"TYPE_NAME", "LITERAL_PREFIX", "LITERAL_SUFFIX", "CREATE_PARAMS", "LOCAL_TYPE_NAME"}
    columns = [Column(name, _NAME if name in texts else _INT) for name in _INFO]
    known = [name for name, its in ODBC.items() if code in (0, its)]
    rows: list[tuple[Any, ...]] = [
        (
            *(name, ODBC[name], _LONGEST.get(name, 38), None, None, None, 1, 0, 3, 0, 0, 0, name),
            *(0, 7, ODBC[name], None, 10, None, 0),
        )
        for name in known
    ]
    yield Result(columns, rows)
    yield Done(len(rows), 0xC1)


def undeclared(session: Session, sql: str) -> Iterator[Event]:
    """A row for each parameter that the statement does not declare. Raises SqlError."""
    types = session.catalogue.get_cached(
        session.database.made, ("undeclared", sql), lambda: _undeclared(session, sql)
    )
    names = sorted(types, key=lambda name: int(name.lstrip("pP") or 0))
    yield Result(
        [Column(name, type_) for name, type_ in _COLUMNS],
        [_row(place, name, types[name]) for place, name in enumerate(names, 1)],
    )
    yield Done(len(names), 0xC1)


def _undeclared(session: Session, sql: str) -> dict[str, SqlType]:
    typer = Typer(session.catalogue, {})
    types: dict[str, SqlType] = {}
    for tree in _statements(sql):
        for node in tree.find_all(exp.Parameter):
            type_ = _suggested(node, tree, typer, session)
            if type_ is None:
                text = f"The type of the parameter '@{node.name}' cannot be deduced."
                raise SqlError(11506, text)
            types.setdefault(node.name, type_)
    return types


def _statements(sql: str) -> Iterator[exp.Expr]:
    for part in Batch(sql).parts():
        if isinstance(part, Plain) and not part.sql.upper().startswith("SET "):
            if "#" in part.sql:
                raise SqlError(11525, "The statement uses a temporary table.")
            yield read(part.sql)


def _suggested(node: exp.Expr, tree: exp.Expr, typer: Typer, session: Session) -> SqlType | None:
    parent = node.parent
    if isinstance(parent, exp.Tuple) and isinstance(parent.parent, exp.Values):
        table = session.catalogue.get(name_of(tree.this))
        named = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
        given = [table.column(node_.name) for node_ in named] or table.columns
        return given[[id(node_) for node_ in parent.expressions].index(id(node))].type
    if isinstance(parent, (exp.Binary, exp.In, exp.Case, exp.Between)):
        operands = [node_ for node_ in parent.iter_expressions() if node_ is not node]
        types = [type_ for type_ in map(typer.of, operands) if type_ is not None]
        return dataclasses.replace(types[0], binary=False) if types else None
    return None


def _row(place: int, name: str, type_: SqlType) -> tuple[Any, ...]:
    wide = 2 if type_.name.startswith("n") else 1
    sized = type_.is_text or "binary" in type_.name
    length = -1 if type_.size == -1 else type_.size * wide if sized else _LENGTHS[type_.name]
    precision = type_.size if type_.name == "decimal" else _DIGITS.get(type_.name, 0)
    scale = type_.size if type_.is_time and type_.name != "date" else type_.scale
    head = (place, f"@{name}", _IDS[type_.name], str(type_), length, precision, scale)
    tail = (0, 0, 0, 1, 0, None, type_info(type_)[0], 65535 if length == -1 else length)
    return (*head, *[None] * 9, *tail)
