"""The columns of an output profile, checked against the fields of exports, and rows in its shape."""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from instruments.listings import export
from instruments.listings.export import FIELDS, Layout, Rows
from instruments.models import OutputProfile
from instruments.profiles.formats import Formatter, get_formatter
from marketdata.common.errors import InvalidQuery
from marketdata.common.suggestions import describe_unknown

MAX_COLUMNS = 200
MAX_DEPTH = 5  # profiles that inherit from each other
NAME = re.compile(r"[a-z][a-z0-9-]{0,59}")
# Names of columns are names of XML elements, too.
_COLUMN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_KEYS = {"name", "field", "value", "format"}
_MAX_VALUE = 200


@dataclasses.dataclass(frozen=True)
class Column:
    """A column: a field with its format ("" for none), or the same value in each row."""

    name: str
    field: str = ""
    value: str = ""
    format: str = ""

    def describe(self) -> dict[str, str]:
        """Return the column as it is written into a profile."""
        content = {"field": self.field} if self.field else {"value": self.value}
        return {"name": self.name, **content, **({"format": self.format} if self.format else {})}


def parse_columns(items: Any) -> list[Column]:
    """Return the columns of a profile as JSON has them. Raises InvalidQuery."""
    if not isinstance(items, list) or len(items) > MAX_COLUMNS:
        raise InvalidQuery("columns", f"Give a list of at most {MAX_COLUMNS} columns.")
    columns = [_parse_column(item, f"columns.{place}") for place, item in enumerate(items)]
    names = [column.name for column in columns]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InvalidQuery("columns", f"Two columns have the name {repeated[0]!r}.")
    return columns


def _parse_column(item: Any, path: str) -> Column:
    """Return the column at a place of a profile, which errors name as `columns.0` and so on."""
    if isinstance(item, str):
        item = {"field": item}
    if not isinstance(item, dict) or not all(isinstance(value, str) for value in item.values()):
        raise InvalidQuery(path, "A column is the name of a field, or an object of texts.")
    if unknown := sorted(set(item) - _KEYS):
        raise InvalidQuery(path, describe_unknown(unknown[0], _KEYS, "key"))
    if ("field" in item) == ("value" in item):
        raise InvalidQuery(path, "Give either `field` or `value`.")
    column = Column(**{"name": item.get("field", ""), **item})
    if not _COLUMN_NAME.fullmatch(column.name):
        message = f"The name {column.name[:100]!r} is not a letter and then letters, digits,"
        raise InvalidQuery(path, f"{message} `_`, `-` or `.`, 100 at most.")
    if len(column.value) > _MAX_VALUE or not column.value.isprintable():
        message = f"A value has at most {_MAX_VALUE} printable characters."
        raise InvalidQuery(path, message)
    if column.format and not column.field:
        raise InvalidQuery(path, "A value has no format.")
    return column


def resolve(profile: OutputProfile) -> list[Column]:
    """Return all columns of a profile, with those that it inherits. Raises InvalidQuery."""
    return _resolve(profile, MAX_DEPTH)


def _resolve(profile: OutputProfile, depth: int) -> list[Column]:
    if depth == 0:
        raise InvalidQuery("parent", f"At most {MAX_DEPTH} profiles inherit from each other.")
    inherited = [] if profile.parent is None else _resolve(profile.parent, depth - 1)
    columns = {column.name: column for column in inherited}
    for name in profile.omitted:
        if columns.pop(name, None) is None:
            raise InvalidQuery("omitted", f"The parent has no column {name!r}.")
    columns |= {column.name: column for column in parse_columns(profile.columns)}
    if not 1 <= len(columns) <= MAX_COLUMNS:
        raise InvalidQuery("columns", f"A profile has 1 to {MAX_COLUMNS} columns.")
    return list(columns.values())


class Shape:
    """The way from the rows of an export to those of a profile.

    `source` is the layout of the rows that are read, `target` that of the rows that `apply` makes of them.
    """

    def __init__(self, rows: str, columns: Sequence[Column]) -> None:
        known = FIELDS[rows]
        for column in columns:
            if column.field and column.field not in known:
                message = export.describe_unknown_field(column.field, rows)
                raise InvalidQuery("columns", message)
        fields = tuple(dict.fromkeys(column.field for column in columns if column.field))
        types = {field: export.get_type(field) for field in fields}
        self.source = Layout(rows, fields or ("isin",))
        self._parts: list[tuple[int | None, str, Formatter | None]] = []
        target_types = []
        for column in columns:
            place = self.source.columns.index(column.field) if column.field else None
            formatter = None
            if column.format:
                formatter = get_formatter(column.format, column.field, types[column.field])
            self._parts.append((place, column.value, formatter))
            is_as_read = bool(column.field) and formatter is None
            target_types.append(types[column.field] if is_as_read else pa.string())
        names = tuple(column.name for column in columns)
        self.target = Layout(rows, names, tuple(target_types))

    def apply(self, pages: Iterator[Rows]) -> Iterator[Rows]:
        """Yield pages in this shape."""
        for page in pages:
            yield self.apply_to(page)

    def apply_to(self, rows: Rows) -> Rows:
        """Return rows in this shape. An absent value stays absent."""
        return [tuple(self._make_value(row, *part) for part in self._parts) for row in rows]

    @staticmethod
    def _make_value(
        row: tuple[Any, ...], place: int | None, constant: str, formatter: Formatter | None
    ) -> Any:
        if place is None:
            return constant
        value = row[place]
        return value if formatter is None or value is None else formatter(value)


def get_shape(profile: OutputProfile) -> Shape:
    """Return the shape of a profile. Raises InvalidQuery."""
    return Shape(profile.rows, resolve(profile))
