"""Rows of any table, a page at a time: read from one database as values, fit for another, or compared.

A page is converted by column and by distinct value: most columns of a page are empty or have few.
"""

import datetime as dt
import decimal
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError, connections, models

from databases import tables
from databases.errors import Unreadable
from databases.tables import Model

# Rows in one page. SQL Server takes 2,100 parameters a statement, and a page may be asked for by keys.
PAGE = 2000

Field = models.Field[Any, Any]
Row = tuple[Any, ...]
Convert = Callable[[Any], Any]

# What converters raise of a value that is none.
_NO_VALUE = (ValueError, TypeError, ArithmeticError, AttributeError, ValidationError)
_WIDE = decimal.Context(prec=200)
# What Python's and every database's types have in common. JSON is text in both databases, and stays so.
_PLAIN = {
    "CharField",
    "TextField",
    "SlugField",
    "FileField",
    "FilePathField",
    "JSONField",
    "GenericIPAddressField",
    "BinaryField",
    "AutoField",
    "BigAutoField",
    "SmallAutoField",
    "IntegerField",
    "BigIntegerField",
    "SmallIntegerField",
    "FloatField",
    "PositiveIntegerField",
    "PositiveBigIntegerField",
    "PositiveSmallIntegerField",
}


def pages(
    model: Model, alias: str, convert: list[Convert | None], after: Any = None
) -> Iterator[list[Row]]:
    """All rows by key, after a key; each column's values given to its `convert`."""
    key = model._meta.pk
    index = tables.fields(model).index(key)
    while True:
        found = model._base_manager.using(alias).order_by(key.attname)
        if after is not None:
            found = found.filter(pk__gt=after)
        raw = read(model, alias, found[:PAGE], convert)
        if not raw:
            return
        yield raw
        after = key.to_python(raw[-1][index])


def read(
    model: Model, alias: str, query: "models.QuerySet[Any]", convert: Sequence[Convert | None]
) -> list[Row]:
    """The rows of a query, with the model's own columns."""
    found = tables.fields(model)
    compiler = query.values_list(*(field.attname for field in found)).query.get_compiler(alias)
    try:
        sql, params = compiler.as_sql()
        with connections[alias].cursor() as cursor:
            cursor.execute(sql, params)
            raw = cursor.fetchall()
    except DatabaseError as error:
        if query.query.is_sliced:
            _look_for_it(model, alias, query, error)
        raise
    if not raw:
        return []
    readers = compiler.get_converters([expression for expression, _, _ in compiler.select])
    columns: list[Sequence[Any]] = list(zip(*raw, strict=True))
    for i, (field, then) in enumerate(zip(found, convert, strict=True)):
        steps = _reader(field, *readers.get(i, ((), None)), connection=connections[alias])
        if then is not None:
            steps = [*steps, then]
        if steps:
            columns[i] = _converted(columns, i, found, steps)
    return list(zip(*columns, strict=True))


def _look_for_it(
    model: Model, alias: str, query: "models.QuerySet[Any]", error: DatabaseError
) -> None:
    """Raises Unreadable where one row is why a page cannot be read."""
    for key in list(query.values_list("pk", flat=True)):
        row = model._base_manager.using(alias).filter(pk=key)
        try:
            list(row.values_list(*(field.attname for field in tables.fields(model))))
        except DatabaseError as this:
            table, said = model._meta.db_table, str(this)
            raise Unreadable(table=table, key=key, column="a value", problem=said) from error


def _reader(
    field: Field, found: Sequence[Any], expression: Any, *, connection: Any
) -> list[Convert]:
    """What Django does to a column when it reads."""
    if field.get_internal_type() == "JSONField":
        return []
    return [functools.partial(_convert, convert, expression, connection) for convert in found]


def _convert(convert: Any, expression: Any, connection: Any, value: Any) -> Any:
    return convert(value, expression, connection)


def _converted(
    columns: list[Sequence[Any]], i: int, found: "list[Field]", steps: list[Convert]
) -> Sequence[Any]:
    column = columns[i]
    known: dict[Any, Any] = {None: None}
    for value in set(column) - {None}:
        new = value
        try:
            for step in steps:
                new = step(new)
            if new is None:  # Django reads a date that is none as NULL
                raise ValueError("no such value")
        except _NO_VALUE as error:
            keys = [field.primary_key for field in found]
            row = column.index(value)
            raise Unreadable(
                table=found[i].model._meta.db_table,
                key=columns[keys.index(True)][row],
                column=str(found[i].column),
                problem=f"{value!r} is no value of this column",
            ) from error
        known[value] = new
    return [known[value] for value in column]


def writers(model: Model, alias: str) -> list[Convert | None]:
    """What makes of each column's values what the database takes; None where they are that already."""
    connection = connections[alias]
    return [_writer(field, connection) for field in tables.fields(model)]


def _writer(field: Field, connection: Any) -> Convert | None:
    kind = _type(field)
    if kind in _PLAIN:
        return None

    def write(value: Any) -> Any:
        if isinstance(value, decimal.Decimal) and connection.vendor != "sqlite":
            _fits(value, places=getattr(field, "decimal_places", 0))
        return field.get_db_prep_save(value, connection=connection)

    return write


def _fits(value: decimal.Decimal, *, places: int) -> None:
    """Django would round it."""
    exponent = value.normalize(_WIDE).as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > places:
        raise ValueError(f"more than {places} decimal places")


def _type(field: Field) -> str:
    """The internal type; of a foreign key, that of what it points to."""
    target: Field = getattr(field, "target_field", field)
    return target.get_internal_type()


def comparable(model: Model) -> list[Convert | None]:
    """What makes equal values of two databases equal, and equal to look at."""
    return [
        None if _type(field) in _PLAIN - {"BinaryField"} else canonical
        for field in tables.fields(model)
    ]


def canonical(value: Any) -> Any:
    """One form for each value, whichever database it is from."""
    match value:
        case decimal.Decimal():
            short = format(value.normalize(_WIDE), "f")
            return "0" if short == "-0" else short
        case dt.datetime() if value.tzinfo:
            return str(value.astimezone(dt.UTC))
        case memoryview() | bytearray():
            return bytes(value)
        case bool() | int() | float() | bytes():
            return value
        case _:  # dates, times, UUIDs, text
            return str(value)
