"""Pages of long lists."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import BadRequest
from django.core.paginator import EmptyPage, InvalidPage, Page, Paginator
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Q, QuerySet
from django.db.models.sql import Query
from django.utils.functional import cached_property

from marketdata.common.errors import InvalidQuery
from marketdata.common.unchanged import remember
from marketdata.web import time_limits

_LAST_KEY = 10**18 - 1  # of a cursor: greater than any primary key
CURSOR_HELP = "Pass the `cursor` of the previous answer, or an empty value to start."


class BoundedPaginator(Paginator[Any]):
    """A paginator of the first 1,000 rows: counting and skipping millions of rows takes seconds.

    `has_more` tells that there are rows beyond these, so that `count` is not the number of all rows.

    Counting is stopped after `count_seconds` (COUNT_TIMEOUT_SECONDS): a page of rows that few others meet
    can be read long before all of them are found. `count` is then the number of rows up to the end of
    the page that was read last, and `has_more` tells whether a row follows.

    A queryset may have a method `rows_of_search(keys)`, for lists in which finding the rows costs more than
    reading them. The keys are then searched once, for both the count and the page.
    """

    max_rows = 1_000

    def __init__(self, *args: Any, count_seconds: float | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        default = settings.COUNT_TIMEOUT_SECONDS
        self._count_seconds = default if count_seconds is None else count_seconds
        # Without a count: the number of rows known so far, and whether there are others.
        self._seen: tuple[int, bool] | None = None

    @property
    def is_counted(self) -> bool:
        """Return False if counting took too long."""
        return self._counted is not None

    def count_again(self, seconds: float) -> None:
        """Count with another time limit, if counting took too long."""
        if not self.is_counted:
            self._count_seconds = seconds
            del self._counted

    @property
    def count(self) -> int:
        return min(self._known[0], self.max_rows)

    @property
    def num_pages(self) -> int:
        pages = max(1, math.ceil(self.count / self.per_page))
        is_next_page_unread = not self.is_counted and self.has_more and self.count < self.max_rows
        return pages + is_next_page_unread

    @property
    def has_more(self) -> bool:
        known, is_followed = self._known
        return is_followed or known > self.max_rows

    @property
    def _known(self) -> tuple[int, bool]:
        if self._counted is not None:
            return self._counted, False
        if self._seen is None:
            self._read_uncounted(1)
        return cast(tuple[int, bool], self._seen)

    @cached_property
    def _counted(self) -> int | None:
        """The number of rows, up to one more than the paginator shows; None if counting took too long."""
        try:
            with time_limits.limit_part(self._count_seconds):
                if self._read_rows is not None:
                    return len(self._keys)
                return _count(cast(QuerySet[Any], self.object_list), self.max_rows + 1)
        except time_limits.TimeLimitExceeded:
            return None

    def get_page(self, number: Any) -> Page[Any]:
        """Return a page; the last one instead of one beyond it. Raises BadRequest for what is no number."""
        check_page_number(number)
        if self.is_counted:
            return super().get_page(number)
        try:
            return self.page(number)
        except InvalidPage:
            return self.page(1)

    def page(self, number: int | str) -> Page[Any]:
        if self._counted is None:
            return self._read_uncounted(number)
        if self._read_rows is None:
            return super().page(number)
        number = self.validate_number(number)
        keys = self._keys[(number - 1) * self.per_page : number * self.per_page]
        return Page(self._read_rows(keys), number, self)

    def _read_uncounted(self, number: int | str) -> Page[Any]:
        """Read a page and one row more. Raises EmptyPage if it has no rows, unless it is the first."""
        self._seen = self.max_rows, True  # any page up to there may exist
        number = self.validate_number(number)
        start = (number - 1) * self.per_page
        end = min(start + self.per_page, self.max_rows)
        rows: Sequence[Any]
        if self._read_rows is None:
            rows = list(cast(QuerySet[Any], self.object_list)[start : end + 1])
        else:
            rows = self._find_keys(end + 1)[start:]
        if not rows and number > 1:
            raise EmptyPage("That page contains no results")
        shown = rows[: end - start]
        self._seen = start + len(shown), len(rows) > len(shown)
        return Page(self._read_rows(list(shown)) if self._read_rows else shown, number, self)

    @cached_property
    def _read_rows(self) -> Callable[[list[Any]], Any] | None:
        method: Callable[[list[Any]], QuerySet[Any]] | None
        method = getattr(self.object_list, "rows_of_search", None)
        return method

    @cached_property
    def _keys(self) -> list[Any]:
        return self._find_keys(self.max_rows + 1)

    def _find_keys(self, number: int) -> list[Any]:
        """Return the keys of the first rows."""
        rows = cast(QuerySet[Any], self.object_list)
        return list(rows.values_list("pk", flat=True)[:number])


def check_page_number(number: str | int | None) -> None:
    """Raise BadRequest for a page in an address that is not a number."""
    if number and not re.fullmatch("-?[0-9]{1,18}", str(number)):
        raise BadRequest(f"page: {str(number)[:50]!r} is not the number of a page.")


def _count(rows: QuerySet[Any], limit: int) -> int:
    """Return the number of rows, up to a limit; that of a whole table is remembered until the data change."""

    def count() -> int:
        return rows.order_by().values("pk")[:limit].count()

    is_remembered = rows.db == DEFAULT_DB_ALIAS and _is_whole_table(rows.query)
    return remember(("rows", rows.model, limit), count) if is_remembered else count()


def _is_whole_table(query: Query) -> bool:
    """Return whether a query has all rows of a table, each once."""
    return not (
        query.where
        or query.distinct
        or query.combinator
        or query.extra_tables
        or query.group_by is not None
        or len(query.alias_map) > 1
    )


class KeyedQuerySet(QuerySet[Any]):
    """The rows of long lists, in the order of the model's `list_column` and then of the primary key.

    The column has an index. Cursors are its value and the primary key; what is none raises InvalidQuery.
    """

    @property
    def _column(self) -> str:
        model: Any = self.model
        return str(model.list_column)

    def after(self, cursor: str) -> Any:
        """Return the rows after a cursor; all of them after ""."""
        column = self._column
        ordered = self.order_by(column, "pk")
        if not cursor:
            return ordered
        value, key = parse_cursor(cursor)
        following = Q((f"{column}__gt", value)) | Q((column, value), pk__gt=key)
        # The first condition follows from the second, and is the one that can use an index.
        return ordered.filter(Q((f"{column}__gte", value)), following)

    def up_to(self, cursor: str) -> Any:
        """Return the rows up to a cursor of `find_end`."""
        return self.filter(**{f"{self._column}__lte": parse_cursor(cursor)[0]})

    def find_end(self, cursor: str, size: int) -> str | None:
        """Return a cursor so many rows of the table after another; None where there are fewer.

        All rows that have the same value of the column come before it.
        """
        column = self._column
        rows = self.model._default_manager.using(self.db).order_by(column)
        if cursor:
            rows = rows.filter(**{f"{column}__gt": parse_cursor(cursor)[0]})
        value = rows.values_list(column, flat=True)[size : size + 1].first()
        return None if value is None else f"{value}.{_LAST_KEY}"

    def get_cursor(self, row: Any) -> str:
        """Return the cursor with which a list continues after a row."""
        return f"{getattr(row, self._column)}.{row.pk}"


def parse_cursor(cursor: str) -> tuple[str, int]:
    """Return the column's value and the primary key of a cursor of `KeyedQuerySet`. Raises InvalidQuery."""
    value, dot, key = cursor.rpartition(".")
    if not (dot and re.fullmatch("[0-9]{1,18}", key) and re.fullmatch("[A-Za-z0-9_ -]*", value)):
        raise InvalidQuery("cursor", CURSOR_HELP)
    return value, int(key)
