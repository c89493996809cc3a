"""Pages of long lists."""

import re
from collections.abc import Callable
from typing import Any, cast

from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.utils.functional import cached_property

from marketdata.common.errors import InvalidQuery

CURSOR_HELP = "Pass the `cursor` of the previous answer, or an empty value to start."


class BoundedPaginator(Paginator[Any]):
    """A paginator of the first 1,000 rows: counting and skipping millions of rows takes seconds.

    `has_more` tells that there are rows beyond these, so that `count` is not the number of all rows.

    A queryset may have a method `rows_of_search(keys)`, for lists in which finding the rows costs more than
    reading them. The keys are then searched once, for both the count and the page.
    """

    max_rows = 1_000

    @cached_property
    def count(self) -> int:
        return min(self._counted, self.max_rows)

    @property
    def has_more(self) -> bool:
        return self._counted > self.max_rows

    @cached_property
    def _counted(self) -> int:
        """The number of rows, up to one more than the paginator shows."""
        if self._read_rows is not None:
            return len(self._keys)
        rows = cast(QuerySet[Any], self.object_list)
        return rows.order_by().values("pk")[: self.max_rows + 1].count()

    def page(self, number: int | str) -> Page[Any]:
        if self._read_rows is None:
            return super().page(number)
        number = self.validate_number(number)
        keys = self._keys[(number - 1) * self.per_page : number * self.per_page]
        return Page(self._read_rows(keys), number, self)

    @cached_property
    def _read_rows(self) -> Callable[[list[Any]], QuerySet[Any]] | None:
        method: Callable[[list[Any]], QuerySet[Any]] | None
        method = getattr(self.object_list, "rows_of_search", None)
        return method

    @cached_property
    def _keys(self) -> list[Any]:
        rows = cast(QuerySet[Any], self.object_list)
        return list(rows.values_list("pk", flat=True)[: self.max_rows + 1])


def rows_after(rows: "QuerySet[Any]", column: str, cursor: str) -> "QuerySet[Any]":
    """Return the rows after a cursor of `get_cursor`, by a column and then by primary key; all after "".

    Raises InvalidQuery for anything else than such a cursor.
    """
    ordered = rows.order_by(column, "pk")
    if not cursor:
        return ordered
    value, key = parse_cursor(cursor)
    following = Q((f"{column}__gt", value)) | Q((column, value), pk__gt=key)
    # The first condition follows from the second, and is the one that can use an index.
    return ordered.filter(Q((f"{column}__gte", value)), following)


def parse_cursor(cursor: str) -> tuple[str, int]:
    """Return the column's value and the primary key of a cursor of `get_cursor`. Raises InvalidQuery."""
    value, dot, key = cursor.rpartition(".")
    if not (dot and re.fullmatch("[0-9]{1,18}", key) and re.fullmatch("[A-Za-z0-9_ -]*", value)):
        raise InvalidQuery("cursor", CURSOR_HELP)
    return value, int(key)


def get_cursor(row: Any, column: str) -> str:
    """Return the cursor with which a list continues after a row: a column's value and the primary key."""
    return f"{getattr(row, column)}.{row.pk}"
