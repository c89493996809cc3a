"""Pages of long lists."""

from collections.abc import Callable
from typing import Any, cast

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property


class BoundedPaginator(Paginator[Any]):
    """Counts no further than people turn pages: a count of millions of rows takes seconds."""

    most = 1_000

    @cached_property
    def count(self) -> int:
        if self._rows_of is not None:
            return len(self._keys)
        found = cast(QuerySet[Any], self.object_list)
        return len(found.order_by().values_list("pk")[: self.most])

    def page(self, number: int | str) -> Page[Any]:
        if self._rows_of is None:
            return super().page(number)
        at = self.validate_number(number)
        keys = self._keys[(at - 1) * self.per_page : at * self.per_page]
        return Page(self._rows_of(keys), at, self)

    @cached_property
    def _rows_of(self) -> Callable[[list[Any]], QuerySet[Any]] | None:
        """How to read rows by their keys, where finding them costs more: then they are found once, to be
        counted and for the page.
        """
        found: Callable[[list[Any]], QuerySet[Any]] | None
        found = getattr(self.object_list, "rows_of_search", None)
        return found

    @cached_property
    def _keys(self) -> list[Any]:
        found = cast(QuerySet[Any], self.object_list)
        return list(found.values_list("pk", flat=True)[: self.most])
