"""Results by relevance: active instruments before those that have ended, both in the order of ISINs."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.db.models import Q
from django.utils.functional import cached_property

from instruments.listings import search
from instruments.listings.status import EffectiveStatus, filter_by_effective_status
from instruments.models import Instrument, InstrumentQuerySet, Status
from marketdata.web.pages import BoundedPaginator

ENDED = "ended."  # what cursors among instruments that have ended begin with


class ByRelevance:
    """The instruments that match a search, in the order of their relevance on a day."""

    def __init__(self, matching: InstrumentQuerySet, day: dt.date) -> None:
        active = filter_by_effective_status(matching, EffectiveStatus.ACTIVE, day)
        self._active: Any = active if search.uses_index(matching) else search.compare_keys(active)
        self._ended = matching.filter(~Q(status=Status.ACTIVE) | Q(active_until__lt=day))

    def read_keys(self, number: int) -> tuple[list[str], int]:
        """Return the first ISINs, and the number of active ones among them."""
        keys = _read_keys(self._active, number)
        return [*keys, *_read_keys(self._ended, number - len(keys))], len(keys)

    def get_parts(self) -> list[tuple[str, InstrumentQuerySet]]:
        """Return the parts of the list, each with what its cursors begin with."""
        return [("", self._active), (ENDED, self._ended)]

    def read_after(self, cursor: str, number: int) -> list[tuple[str, Instrument]]:
        """Return the instruments after a cursor, each with the cursor after it. Raises InvalidQuery."""
        rows: list[tuple[str, Instrument]] = []
        if not cursor.startswith(ENDED):
            rows = [(row.pk, row) for row in self._active.after(cursor)[:number]]
        ended = self._ended.after(cursor.removeprefix(ENDED) if cursor.startswith(ENDED) else "")
        rows += [(f"{ENDED}{row.pk}", row) for row in ended[: number - len(rows)]]
        return rows


class RelevancePaginator(BoundedPaginator):
    """A paginator of the first 1,000 instruments by relevance."""

    def __init__(self, instruments: ByRelevance, per_page: int, *, count_seconds: float) -> None:
        super().__init__([], per_page, count_seconds=count_seconds)
        self.instruments = instruments
        self._found: list[str] = []  # the keys that were searched last
        self._active = 0  # the number of active instruments among them

    def get_cursor(self) -> str:
        """Return the cursor after the last row that is counted."""
        key = self._found[self.count - 1]
        return key if self._active >= self.count else f"{ENDED}{key}"

    def _find_keys(self, number: int) -> list[Any]:
        self._found, self._active = self.instruments.read_keys(number)
        return self._found

    @cached_property
    def _read_rows(self) -> Callable[[list[Any]], Any]:
        return _read_in_order


def _read_keys(instruments: InstrumentQuerySet, number: int) -> list[str]:
    return list(instruments.values_list("pk", flat=True)[:number]) if number else []


def _read_in_order(keys: list[str]) -> list[Instrument]:
    rows = Instrument.objects.in_bulk(keys)
    return [rows[key] for key in keys]
