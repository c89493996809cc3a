"""Instruments by dates of their listings, and in the order of these dates.

Dates that describe an instrument are those of its reference listing. A condition that few listings meet is
looked up by its index; for others each instrument is compared, and a page of them is soon complete.
"""

import datetime as dt
from typing import Any, cast

from django.db import connections, models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.expressions import RawSQL

from instruments.listings import search
from instruments.listings.models.instrument import ORDERED_BY, ReferenceValue
from instruments.listings.search import MANY
from instruments.models import ChangeSet, Instrument, InstrumentQuerySet, Listing
from marketdata.common.errors import InvalidQuery
from marketdata.web import time_limits

# Orders of a list of instruments, and their names.
ORDERINGS = {
    "isin": "by ISIN",
    "-isin": "by ISIN, descending",
    "maturity_date": "by maturity date",
    "-maturity_date": "by maturity date, latest first",
    "first_trade_at": "by first trade",
    "-first_trade_at": "by first trade, latest first",
}
_LISTING, _INSTRUMENT = Listing._meta.db_table, Instrument._meta.db_table
_KEY = ("isin", "mic", "register")
# So many instruments are one in a thousand even in the largest database: the index of the order finds the
# first of them sooner than they are counted and sorted.
_SORTED = 10_000
_COUNT_SECONDS = 0.3
# So many listings that meet a condition are read into a set, in half a second for a million. To compare each
# instrument with its listing takes longer where another condition leaves hardly any of them; without
# another condition, it takes longer for fewer listings only.
_MOST_IN_SET = 1_500_000
_MOST_ALONE = 400_000


def filter_by_reference(
    instruments: InstrumentQuerySet, condition: Q, *, is_alone: bool = False, many: int = MANY
) -> InstrumentQuerySet:
    """Return the instruments whose reference listing meets a condition, which has an index.

    `is_alone`: no other filter is used, so that a page of the instruments of many listings is soon complete.
    """
    return _filter(instruments, condition, _KEY, many, _MOST_ALONE if is_alone else _MOST_IN_SET)


def filter_changed_since(
    instruments: InstrumentQuerySet, moment: dt.datetime, *, many: int = MANY
) -> InstrumentQuerySet:
    """Return the instruments with a listing that this database has written at a time or later."""
    first = ChangeSet.objects.filter(made_at__gte=moment).order_by("number").first()
    if first is None:
        return instruments.none()
    # Number 0 is older than all others, and its time is that of the database.
    number = max(first.number, ChangeSet.FIRST)
    return _filter(instruments, Q(change__gte=number), ("isin",), many, _MOST_IN_SET)


def _filter(
    instruments: InstrumentQuerySet, condition: Q, key: tuple[str, ...], many: int, in_set: int
) -> InstrumentQuerySet:
    listings = Listing.objects.filter(condition).order_by()
    matching = instruments.filter(
        Exists(listings.filter(**{column: OuterRef(column) for column in key}))
    )
    keys = listings.values("isin")
    number = keys[: max(many, in_set)].count()
    if number < many:
        return cast(InstrumentQuerySet, search.among(matching, keys, number))
    if number < in_set:
        return cast(InstrumentQuerySet, search.within(matching, keys))
    return matching


def order(
    instruments: InstrumentQuerySet,
    unfiltered: InstrumentQuerySet | None,
    ordering: str,
    *,
    bounds: Q | None = None,
    many: int = MANY,
) -> InstrumentQuerySet:
    """Return the instruments in one of the orders of ORDERINGS; those without the date are left out.

    `unfiltered` are the same ones by conditions that need no index; None if there is no condition. Few are
    sorted; of many, and of those that are not counted in `_COUNT_SECONDS`, the first ones are found in the
    index of the order, within `bounds` (a condition of its column that they all meet). Raises InvalidQuery
    for many that only the index of names finds.
    """
    if ordering == "isin":
        return instruments
    if unfiltered is None:
        return _sort(instruments, ordering, by_index=True)
    is_searched = search.uses_index(unfiltered)
    most = many if is_searched else min(many, _SORTED)
    is_fewer = _is_fewer if is_searched else _is_soon_known_to_be_fewer
    if is_fewer(instruments, most):
        return _sort(instruments, ordering, by_index=False)
    if is_searched:
        raise InvalidQuery(
            "ordering",
            f"More than {many:,} names match, which cannot be sorted. Add words or filters, or leave out"
            " `ordering`.",
        )
    return _sort(unfiltered, ordering, by_index=True, bounds=bounds)


def _is_fewer(instruments: InstrumentQuerySet, number: int) -> bool:
    return bool(instruments.order_by().values("pk")[:number].count() < number)


def _is_soon_known_to_be_fewer(instruments: InstrumentQuerySet, number: int) -> bool:
    """Return whether there are fewer instruments than a number; False if counting takes too long."""
    try:
        with time_limits.limit_part(_COUNT_SECONDS):
            return _is_fewer(instruments, number)
    except time_limits.TimeLimitExceeded:
        if time_limits.is_exceeded():
            raise
        return False


def _sort(
    instruments: InstrumentQuerySet, ordering: str, *, by_index: bool, bounds: Q | None = None
) -> InstrumentQuerySet:
    column = ordering.removeprefix("-")
    if column == "isin":
        return instruments.annotate(**{ORDERED_BY: F("isin")}).order_by("-isin")
    joined, value, isin = _join_reference(instruments, column, by_index=by_index)
    ordered = joined.annotate(**{ORDERED_BY: value})
    if bounds is not None:
        ordered = ordered.filter(bounds)
    if ordering.startswith("-"):
        return ordered.order_by(value.desc(), isin.desc())
    return ordered.order_by(value, isin)


def _join_reference(
    instruments: InstrumentQuerySet, column: str, *, by_index: bool
) -> tuple[InstrumentQuerySet, RawSQL, RawSQL]:
    """Join the reference listings that have a value in a column; return also that value and their ISIN.

    With `by_index`, SQLite goes from the listings in their order to the instruments: the plus sign keeps it
    from looking up listings by their key.
    """
    plus = "+" if by_index and connections[instruments.db].vendor == "sqlite" else ""
    conditions = [f"{_INSTRUMENT}.{name} = {plus}{_LISTING}.{name}" for name in _KEY]
    value = ReferenceValue(column)
    joined: Any = instruments.extra(
        tables=[_LISTING], where=[*conditions, f"{_LISTING}.{column} IS NOT NULL"]
    )
    return joined, value, RawSQL(f"{_LISTING}.isin", [], models.CharField())
