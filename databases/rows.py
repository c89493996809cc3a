"""Rows of any table, page by page: read from one database, and converted for another or for comparison.

A page is converted by column and by distinct value, because most columns of a page have few values.
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

# The errors that converters raise for an invalid value.
_NO_VALUE = (ValueError, TypeError, ArithmeticError, AttributeError, ValidationError)
_WIDE = decimal.Context(prec=200)
# Fields whose values need no conversion between databases. JSON is text in both, and stays so.
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
    """Yield all rows in pages ordered by key, after a key; `convert` has a function for each column."""
    key = model._meta.pk
    index = tables.fields(model).index(key)
    while True:
        query = model._base_manager.using(alias).order_by(key.attname)
        if after is not None:
            query = query.filter(pk__gt=after)
        raw = read(model, alias, query[:PAGE], convert)
        if not raw:
            return
        yield raw
        after = key.to_python(raw[-1][index])


def read(
    model: Model, alias: str, query: "models.QuerySet[Any]", convert: Sequence[Convert | None]
) -> list[Row]:
    """Return the rows of a query with the model's own columns. Raises Unreadable."""
    fields = tables.fields(model)
    compiler = query.values_list(*(field.attname for field in fields)).query.get_compiler(alias)
    try:
        sql, params = compiler.as_sql()
        with connections[alias].cursor() as cursor:
            cursor.execute(sql, params)
            raw = cursor.fetchall()
    except DatabaseError as error:
        if query.query.is_sliced:
            _find_unreadable_row(model, alias, query, error)
        raise
    if not raw:
        return []
    readers = compiler.get_converters([expression for expression, _, _ in compiler.select])
    columns: list[Sequence[Any]] = list(zip(*raw, strict=True))
    for i, (field, then) in enumerate(zip(fields, convert, strict=True)):
        steps = _reader(field, *readers.get(i, ((), None)), connection=connections[alias])
        if then is not None:
            steps = [*steps, then]
        if steps:
            columns[i] = _converted(columns, i, fields, steps)
    return list(zip(*columns, strict=True))


def _find_unreadable_row(
    model: Model, alias: str, query: "models.QuerySet[Any]", error: DatabaseError
) -> None:
    """Raise Unreadable where a single row of a page cannot be read."""
    for key in list(query.values_list("pk", flat=True)):
        row = model._base_manager.using(alias).filter(pk=key)
        try:
            list(row.values_list(*(field.attname for field in tables.fields(model))))
        except DatabaseError as row_error:
            table, problem = model._meta.db_table, str(row_error)
            raise Unreadable(table=table, key=key, column="a value", problem=problem) from error


def _reader(
    field: Field, converters: Sequence[Any], expression: Any, *, connection: Any
) -> list[Convert]:
    """Return the conversions that Django applies when it reads a column."""
    if field.get_internal_type() == "JSONField":
        return []
    return [functools.partial(_convert, convert, expression, connection) for convert in converters]


def _convert(convert: Any, expression: Any, connection: Any, value: Any) -> Any:
    return convert(value, expression, connection)


def _converted(
    columns: list[Sequence[Any]], i: int, fields: "list[Field]", steps: list[Convert]
) -> Sequence[Any]:
    column = columns[i]
    known: dict[Any, Any] = {None: None}
    for value in set(column) - {None}:
        new = value
        try:
            for step in steps:
                new = step(new)
            if new is None:  # Django reads an invalid date as NULL
                raise ValueError("invalid value")
        except _NO_VALUE as error:
            keys = [field.primary_key for field in fields]
            row = column.index(value)
            raise Unreadable(
                table=fields[i].model._meta.db_table,
                key=columns[keys.index(True)][row],
                column=str(fields[i].column),
                problem=f"{value!r} is not a valid value of this column",
            ) from error
        known[value] = new
    return [known[value] for value in column]


def writers(model: Model, alias: str) -> list[Convert | None]:
    """Return for each column the conversion to values of a database; None where none is needed."""
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
    """Raise ValueError for a number with too many decimal places, which Django would round."""
    exponent = value.normalize(_WIDE).as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > places:
        raise ValueError(f"more than {places} decimal places")


def _type(field: Field) -> str:
    """Return the internal type of a field; for a foreign key, that of the field it refers to."""
    target: Field = getattr(field, "target_field", field)
    return target.get_internal_type()


def comparable(model: Model) -> list[Convert | None]:
    """Return for each column the conversion to a canonical form; None where none is needed."""
    return [
        None if _type(field) in _PLAIN - {"BinaryField"} else canonical
        for field in tables.fields(model)
    ]


def canonical(value: Any) -> Any:
    """Return the canonical form of a value, the same for values of any database."""
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
