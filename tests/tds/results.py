"""The rows of a result, as their columns are declared."""

import dataclasses
from typing import Any

from tests.tds import values
from tests.tds.tokens import Column
from tests.tds.types import SqlType


def fitting(
    columns: list[Column], rows: list[tuple[Any, ...]]
) -> tuple[list[Column], list[tuple[Any, ...]]]:
    """Columns whose type was not known get that of their values; all values are of their type."""
    typed_columns = []
    for index, column in enumerate(columns):
        type_ = column.type or _guess([row[index] for row in rows])
        typed_columns.append(dataclasses.replace(column, type=type_))
    converted_rows = [
        tuple(
            values.converted(v, c.type, cast=True) for v, c in zip(row, typed_columns, strict=True)
        )
        for row in rows
    ]
    return typed_columns, converted_rows


def _guess(values_: list[Any]) -> SqlType:
    known_values = [value for value in values_ if value is not None]
    if any(isinstance(value, str) for value in known_values):
        return SqlType("nvarchar", 4000 if max(map(len, map(str, known_values))) <= 4000 else -1)
    if any(isinstance(value, float) for value in known_values):
        return SqlType("float")
    if any(isinstance(value, bytes) for value in known_values):
        return SqlType("varbinary", -1)
    return SqlType("bigint" if any(abs(value) >= 2**31 for value in known_values) else "int")
