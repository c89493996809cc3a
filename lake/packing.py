"""Columns that few rows have a value in, read from SQLite as one column of JSON texts.

Reading by ADBC costs as much for a NULL as for a value, and most of the columns of a listing are NULL
(decision 116).
"""

import contextlib
import dataclasses
import functools
import gc
import json
import operator
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from django.db.models import Case, Expression, F, Func, Q, TextField, When

from lake.columns import Column, cast

_ROWS = 1_000  # of a pack that are converted at a time


@dataclasses.dataclass(frozen=True)
class Packs:
    """The columns of a table: those that are read as they are, and groups of which each is read as one."""

    plain: tuple[Column, ...]
    groups: tuple[tuple[Column, ...], ...] = ()

    @classmethod
    def of(cls, columns: Sequence[Column], groups: Iterable[tuple[str, ...]]) -> "Packs":
        """Divide columns: a group has those whose names begin in one of some ways."""
        packed = tuple(tuple(c for c in columns if c.name.startswith(names)) for names in groups)
        left = [column for column in columns if all(column not in group for group in packed)]
        return cls(tuple(left), packed)

    @property
    def schema(self) -> pa.Schema:
        """The columns as they are read: the plain ones, and a text for each group."""
        fields = [column.arrow_field for column in self.plain]
        return pa.schema(fields + [pa.field(name, pa.string()) for name in self.expressions])

    @property
    def expressions(self) -> dict[str, Expression]:
        """The name and the expression of the text of each group: NULL, or a JSON array of its values."""
        return {f"pack_{n}": _pack(group) for n, group in enumerate(self.groups)}

    def unpack(self, rows: pa.Table, schema: pa.Schema) -> pa.Table:
        """Return rows with the columns of a schema; they may have been read without packs."""
        if rows.schema.names == schema.names:
            return rows
        columns = {column.name: rows.column(column.name) for column in self.plain}
        for name, group in zip(self.expressions, self.groups, strict=True):
            columns |= _unpack(rows.column(name), group)
        return pa.table([columns[name] for name in schema.names], schema=schema)


def _pack(group: tuple[Column, ...]) -> Expression:
    has_value = functools.reduce(
        operator.or_, (Q(**{f"{column.lookup}__isnull": False}) for column in group)
    )
    values = (F(column.lookup) for column in group)
    packed = Func(*values, function="json_array", output_field=TextField())
    return Case(When(has_value, then=packed), output_field=TextField())


def _unpack(packed: pa.ChunkedArray, group: tuple[Column, ...]) -> dict[str, pa.Array]:
    if packed.null_count == len(packed):
        return {column.name: pa.nulls(len(packed), column.type) for column in group}
    is_packed = packed.is_valid()
    counted = pc.cumulative_sum(is_packed.cast(pa.int64()))
    places = pc.if_else(is_packed, pc.subtract(counted, 1), None)
    texts = packed.drop_null().to_pylist()
    columns: list[list[str | int | None]] = [[] for _ in group]
    with _without_garbage_collection():
        for begin in range(0, len(texts), _ROWS):
            rows = json.loads(f"[{','.join(texts[begin : begin + _ROWS])}]")
            for column, added in zip(columns, zip(*rows, strict=True), strict=True):
                column.extend(added)
    return {
        field.name: cast(pa.array(column), field.type).take(places)
        for field, column in zip(group, columns, strict=True)
    }


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Create many lists without the collections that they cause, which look through all objects."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
