"""Pages of long lists."""

from collections.abc import Callable
from typing import Any, cast

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property


class BoundedPaginator(Paginator[Any]):
    """A paginator that counts at most 1,000 rows: counting millions of rows takes seconds.

    A queryset may have a method `rows_of_search(keys)`, for lists in which finding the rows costs more than
    reading them. The keys are then searched once, for both the count and the page.
    """

    max_rows = 1_000

    @cached_property
    def count(self) -> int:
        if self._read_rows is not None:
            return len(self._keys)
        rows = cast(QuerySet[Any], self.object_list)
        return len(rows.order_by().values_list("pk")[: self.max_rows])

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
        return list(rows.values_list("pk", flat=True)[: self.max_rows])
