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
from instruments.listings.models.instrument import ORDERED_BY
from instruments.listings.search import MANY
from instruments.models import ChangeSet, Instrument, InstrumentQuerySet, Listing
from marketdata.common.errors import InvalidQuery

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


def filter_by_reference(
    instruments: InstrumentQuerySet, condition: Q, *, many: int = MANY
) -> InstrumentQuerySet:
    """Return the instruments whose reference listing meets a condition, which has an index."""
    return _filter(instruments, condition, _KEY, many)


def filter_changed_since(
    instruments: InstrumentQuerySet, moment: dt.datetime, *, many: int = MANY
) -> InstrumentQuerySet:
    """Return the instruments with a listing that this database has written at a time or later."""
    first = ChangeSet.objects.filter(made_at__gte=moment).order_by("number").first()
    if first is None:
        return instruments.none()
    # Number 0 is older than all others, and its time is that of the database.
    number = max(first.number, ChangeSet.FIRST)
    return _filter(instruments, Q(change__gte=number), ("isin",), many)


def _filter(
    instruments: InstrumentQuerySet, condition: Q, key: tuple[str, ...], many: int
) -> InstrumentQuerySet:
    listings = Listing.objects.filter(condition).order_by()
    matching = instruments.filter(
        Exists(listings.filter(**{column: OuterRef(column) for column in key}))
    )
    keys = listings.values("isin")
    if (number := keys[:many].count()) >= many:
        return matching
    return cast(InstrumentQuerySet, search.among(matching, keys, number))


def order(
    instruments: InstrumentQuerySet,
    unfiltered: InstrumentQuerySet | None,
    ordering: str,
    *,
    many: int = MANY,
) -> InstrumentQuerySet:
    """Return the instruments in one of the orders of ORDERINGS; those without the date are left out.

    `unfiltered` are the same ones by conditions that need no index; None if there is no condition. Few are
    sorted; of many, the first ones are found in the index of the order. Raises InvalidQuery for many that
    only the index of names finds.
    """
    if ordering == "isin":
        return instruments
    if unfiltered is None:
        return _sort(instruments, ordering, by_index=True)
    is_searched = search.is_asked(unfiltered)
    most = many if is_searched else min(many, _SORTED)
    if instruments.order_by().values("pk")[:most].count() < most:
        return _sort(instruments, ordering, by_index=False)
    if is_searched:
        raise InvalidQuery(
            "ordering",
            f"More than {many:,} names match, which cannot be sorted. Add words or filters, or leave out"
            " `ordering`.",
        )
    return _sort(unfiltered, ordering, by_index=True)


def _sort(instruments: InstrumentQuerySet, ordering: str, *, by_index: bool) -> InstrumentQuerySet:
    column = ordering.removeprefix("-")
    if column == "isin":
        return instruments.annotate(**{ORDERED_BY: F("isin")}).order_by("-isin")
    joined, value, isin = _join_reference(instruments, column, by_index=by_index)
    ordered = joined.annotate(**{ORDERED_BY: value})
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
    field: Any = Listing._meta.get_field(column)
    value = RawSQL(f"{_LISTING}.{column}", [], field.__class__())
    joined: Any = instruments.extra(
        tables=[_LISTING], where=[*conditions, f"{_LISTING}.{column} IS NOT NULL"]
    )
    return joined, value, RawSQL(f"{_LISTING}.isin", [], models.CharField())
