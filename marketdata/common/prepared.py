"""Queries by keys that are compiled once instead of for each request.

Django takes longer to write a statement, a millisecond for one of a hundred columns, than a database
takes to answer it.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, router
from django.db.models import Model, QuerySet

# The start of the values that stand for the keys in the compiled parameters.
_MARK = "\ue000"
_MAX_STATEMENTS = 100  # of one query: one for each number of keys


class PreparedQuery:
    """A query by texts, such as ISINs.

    `build(keys)` returns a queryset of `values_list()` with no other parameter that differs between calls.
    """

    def __init__(self, build: Callable[[Sequence[str]], QuerySet[Any, Any]]) -> None:
        self._build = build
        self._model: type[Model] | None = None
        self._compiled = functools.lru_cache(maxsize=_MAX_STATEMENTS)(self._compile)

    def read(self, *keys: str, using: str | None = None) -> Iterable[Sequence[Any]]:
        """Return the rows of some keys, with the values in the order of the queryset.

        Without `using`, Django's routers choose the database.
        """
        alias = using or self._choose_database(keys)
        connection = connections[alias]
        sql, parameters, converters = self._compiled(alias, connection.vendor, len(keys))
        with connection.cursor() as cursor:
            cursor.execute(
                sql, [keys[value] if type(value) is _Key else value for value in parameters]
            )
            rows = cursor.fetchall()
        return _convert(rows, converters, connection) if converters else rows

    def _choose_database(self, keys: Sequence[str]) -> str:
        if not router.routers:
            return DEFAULT_DB_ALIAS
        if self._model is None:
            self._model = self._build(keys).model
        return router.db_for_read(self._model)

    def _compile(self, using: str, vendor: str, count: int) -> tuple[str, list[Any], Any]:
        """Return the statement, its parameters, and the functions that convert columns, by position."""
        marks = {f"{_MARK}{number}": _Key(number) for number in range(count)}
        compiler: Any = self._build(list(marks)).using(using).query.get_compiler(using)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([expression for expression, _, _ in compiler.select])
        return sql, [marks.get(value, value) for value in parameters], list(converters.items())


class _Key(int):
    """The position of a key, in place of a parameter."""


def _convert(rows: list[Any], converters: Any, connection: Any) -> Iterator[list[Any]]:
    for row in map(list, rows):
        for position, (functions, expression) in converters:
            value = row[position]
            for function in functions:
                value = function(value, expression, connection)
            row[position] = value
        yield row
