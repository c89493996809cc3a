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
    found = []
    for index, column in enumerate(columns):
        type_ = column.type or _guess([row[index] for row in rows])
        found.append(dataclasses.replace(column, type=type_))
    made = [
        tuple(values.converted(v, c.type, cast=True) for v, c in zip(row, found, strict=True))
        for row in rows
    ]
    return found, made


def _guess(them: list[Any]) -> SqlType:
    there = [value for value in them if value is not None]
    if any(isinstance(value, str) for value in there):
        return SqlType("nvarchar", 4000 if max(map(len, map(str, there))) <= 4000 else -1)
    if any(isinstance(value, float) for value in there):
        return SqlType("float")
    if any(isinstance(value, bytes) for value in there):
        return SqlType("varbinary", -1)
    return SqlType("bigint" if any(abs(value) >= 2**31 for value in there) else "int")
