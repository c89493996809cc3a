"""Facets of lists of instruments: the number of matching instruments for each value of a code.

No count takes more than COUNTED rows from the database. The counts that loads keep answer without a filter
and for the filters of KEPT_FILTERS; other lists are counted exactly up to COUNTED instruments, and beyond
them the first COUNTED ones give lower bounds. A facet has the name of the filter that takes its values.
"""

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db.models import Count

from instruments.classification import cfi
from instruments.listings.status import today
from instruments.models import (
    Figure,
    FigureSubject,
    InstrumentCount,
    InstrumentQuerySet,
    Listing,
    Register,
)
from marketdata.common.batches import in_batches
from marketdata.common.errors import InvalidQuery
from marketdata.web import time_limits

COUNTED = 10_000  # instruments that are read for one answer
KEPT_FILTERS = frozenset({"category", "status"})
MAX_VALUES = 100  # of a facet; the others are summed up
_VENUE_BATCH = (
    2_000  # instruments whose venues are counted by one query: SQL Server takes 2,100 parameters
)
_GROUP_LETTERS = 2  # of a CFI code: its category and its group


@dataclasses.dataclass(frozen=True)
class Facet:
    """The values of a code, the most frequent first; "" stands for instruments without a value.

    `others` is the number of instruments with values beyond MAX_VALUES. Counts that are not exact are lower
    bounds. `counted_on` is the day of figures that are counted by night, else None.
    """

    values: list[tuple[str, int]]
    others: int
    is_exact: bool
    counted_on: dt.date | None = None

    def describe(self) -> dict[str, Any]:
        """Return the facet as the API writes it."""
        return {
            "values": [{"value": value, "count": count} for value, count in self.values],
            "others": self.others,
            "is_exact": self.is_exact,
            "counted_on": self.counted_on and self.counted_on.isoformat(),
        }


def parse(text: str) -> list[str]:
    """Return the names of facets in a text, separated by commas. Raises InvalidQuery."""
    names = list(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in FACETS:
            known = ", ".join(FACETS)
            raise InvalidQuery("facets", f"{name[:50]!r} is not a facet. Choose from: {known}.")
    return names


def count(
    names: Sequence[str], matching: InstrumentQuerySet, filters: Mapping[str, Any]
) -> dict[str, Facet]:
    """Return facets of the instruments that match filters, by name. One query for each kind of count.

    `filters` are the filters with a value that led to `matching`, by name; their values may be in any case.
    """
    facets: dict[str, Facet] = {}
    if filters.keys() <= KEPT_FILTERS:
        facets |= _read_kept(names, filters)
    if remaining := [name for name in names if name not in facets]:
        facets |= _count_rows(remaining, matching, filters)
    return {name: facets[name] for name in names}


def count_in_time(
    names: Sequence[str], matching: InstrumentQuerySet, filters: Mapping[str, Any]
) -> dict[str, Facet]:
    """Do as `count` for FACETS_TIMEOUT_SECONDS at most; facets that take longer have no values."""
    try:
        with time_limits.limit_part(settings.FACETS_TIMEOUT_SECONDS):
            return count(names, matching, filters)
    except time_limits.TimeLimitExceeded:
        return {name: Facet([], 0, is_exact=False) for name in names}


def _read_kept(names: Sequence[str], filters: Mapping[str, Any]) -> dict[str, Facet]:
    """Return the facets that need no counting, from the counts of loads and the figures of the night."""
    counters: dict[str, Counter[str]] = {"category": Counter(), "status": Counter()}
    registers: Counter[str] = Counter()
    codes = {name: str(value).strip().casefold() for name, value in filters.items()}
    if {"category", "status", "register"} & set(names):
        for row in InstrumentCount.objects.exclude(instruments=0):
            if all(getattr(row, name).casefold() == value for name, value in codes.items()):
                counters["category"][row.category] += row.instruments
                counters["status"][row.status] += row.instruments
                registers[Register.ESMA.value] += row.eu_instruments
                registers[Register.FCA.value] += row.uk_instruments
    counters["register"] = +registers  # without those that count nothing
    facets = {name: _make(counters[name]) for name in names if name in counters}
    if "currency" in names and not filters:
        figures = Figure.objects.filter(subject=FigureSubject.CURRENCY, day__lte=today())
        rows = list(figures.order_by("day").values_list("day", "key", "number"))
        if rows:
            day = rows[-1][0]
            newest = Counter({key: number for counted, key, number in rows if counted == day})
            facets["currency"] = _make(newest, counted_on=day)
    return facets


def _count_rows(
    names: Sequence[str], matching: InstrumentQuerySet, filters: Mapping[str, Any]
) -> dict[str, Facet]:
    """Count the first COUNTED rows, with one query; of venues, with one more for each batch of them."""
    columns = [column for name in names for column in FACETS[name][0]]
    rows = list(matching.order_by().values_list("isin", *columns)[: COUNTED + 1])
    is_exact = len(rows) <= COUNTED
    facets = {}
    start = 1
    for name in names:
        own, read_values = FACETS[name]
        end = start + len(own)
        if name == "mic_exact":
            counter = _count_venues(
                [row[0] for row in rows[:COUNTED]], str(filters.get("register", ""))
            )
        elif name == "cfi":
            letters = _count_stem_letters(filters)
            counter = Counter(row[start][:letters] for row in rows[:COUNTED])
        else:
            counter = Counter(
                value for row in rows[:COUNTED] for value in read_values(row[start:end])
            )
        facets[name] = _make(counter, is_exact=is_exact)
        start = end
    return facets


def _count_venues(isins: Sequence[str], register: str) -> Counter[str]:
    """Count instruments on each of their venues, in a register or in any. One query for each batch."""
    counter: Counter[str] = Counter()
    for batch in in_batches(isins, _VENUE_BATCH):
        listings = Listing.objects.filter(isin__in=batch)
        if register:
            listings = listings.filter(register=register.strip().upper())
        # An instrument may have a listing on a venue in both registers.
        counted = listings.order_by().values("mic").annotate(number=Count("isin", distinct=True))
        counter.update(dict(counted.values_list("mic", "number")))
    return counter


def _count_stem_letters(filters: Mapping[str, Any]) -> int:
    """Return the length of the CFI facet's values: one letter more than the filter gives, at least two."""
    given = str(filters.get("cfi", "")).strip().rstrip(cfi.ANY)
    return min(max(len(given) + 1, _GROUP_LETTERS), cfi.LENGTH)


def _make(
    counter: Counter[str], *, is_exact: bool = True, counted_on: dt.date | None = None
) -> Facet:
    values = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    others = sum(number for _, number in values[MAX_VALUES:])
    return Facet(values[:MAX_VALUES], others, is_exact, counted_on)


def _read_registers(values: tuple[int | None, ...]) -> list[str]:
    pairs = zip((Register.ESMA, Register.FCA), values, strict=True)
    return [register.value for register, listings in pairs if listings is not None]


# The columns of each facet, and the function that reads an instrument's values from them. An instrument
# counts in each of its registers and on each of its venues, which are those of its listings.
FACETS: dict[str, tuple[tuple[str, ...], Callable[[Any], Sequence[str]]]] = {
    "category": (("cfi_code",), lambda values: [values[0][:1]]),
    "currency": (("notional_currency",), lambda values: [values[0]]),
    "status": (("status",), lambda values: [values[0]]),
    "register": (("eu_listings", "uk_listings"), _read_registers),
    "cfi": (("cfi_code",), lambda values: [values[0]]),
    "issuer": (("issuer_lei",), lambda values: [values[0]]),
    "mic_exact": ((), lambda values: []),
}
