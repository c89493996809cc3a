"""Published and effective status of listings and instruments.

The published status is the one of the newest record (or of the full set that lacks the listing). A
register keeps a listing active until it publishes the next file, and sometimes for years after the
instrument matured. The effective status also considers the days in the record: it is computed for a day
when it is read, so it is right on every day without a new file.

Dates before 1900 are placeholders and end nothing (`instruments.listings.terms.is_placeholder`).
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

from django.db import models
from django.db.models import Q, Value

from instruments.listings import search
from instruments.listings.terms import FIRST_REAL_DAY
from instruments.models import Instrument, InstrumentQuerySet, Listing, ListingRecord, Status
from marketdata.common.batches import in_batches
from marketdata.common.prepared import PreparedQuery

# If so many instruments have a status, it is one in a hundred even in the largest database.
MANY = 100_000


class EffectiveStatus(models.TextChoices):
    """The status of a listing or an instrument on a day."""

    ACTIVE = "active", "Active"
    EXPIRED = "expired", "Expired"
    MATURED = "matured", "Matured"
    TERMINATED = "terminated", "Terminated"
    DROPPED = "dropped", "Dropped"
    CANCELLED = "cancelled", "Cancelled"


def today() -> dt.date:
    """Return the current day in UTC, the time zone of all dates in the records."""
    return dt.datetime.now(dt.UTC).date()


class _Dates(NamedTuple):
    """The columns that decide the effective status: a model of all columns would take 100 times as long."""

    isin: str
    mic: str
    register: str
    status: str
    terminated_at: dt.datetime | None
    expiry_date: dt.date | None
    maturity_date: dt.date | None


_ACTIVE_LISTINGS = PreparedQuery(
    lambda isins: (
        Listing.objects.filter(isin__in=isins, status=Status.ACTIVE)
        .order_by()
        .values_list(*_Dates._fields)
    )
)


def get_effective_status(record: ListingRecord | _Dates, day: dt.date) -> EffectiveStatus:
    """Return the effective status of a listing on a day.

    A listing is active on its termination, expiry or maturity day itself, and ended the day after. A
    termination counts before the others, of which the earlier one counts.
    """
    if record.status != Status.ACTIVE:
        return EffectiveStatus(record.status)
    if record.terminated_at is not None and FIRST_REAL_DAY <= record.terminated_at.date() < day:
        return EffectiveStatus.TERMINATED
    ends = [
        (date, status)
        for date, status in (
            (record.expiry_date, EffectiveStatus.EXPIRED),
            (record.maturity_date, EffectiveStatus.MATURED),
        )
        if date is not None and FIRST_REAL_DAY <= date < day
    ]
    return min(ends, key=lambda end: end[0])[1] if ends else EffectiveStatus.ACTIVE


def get_effective_status_of_all(
    listings: Iterable[ListingRecord | _Dates], reference: ListingRecord | _Dates, day: dt.date
) -> EffectiveStatus:
    """Return the effective status of an instrument on a day.

    It is active while one of its listings is; otherwise it has the status of its reference listing.
    """
    if any(get_effective_status(listing, day) == EffectiveStatus.ACTIVE for listing in listings):
        return EffectiveStatus.ACTIVE
    return get_effective_status(reference, day)


def read_effective_statuses(
    instruments: Sequence[Instrument], day: dt.date
) -> dict[str, EffectiveStatus]:
    """Return the effective status of each instrument by ISIN, with one query per 500 instruments."""
    statuses = {i.isin: EffectiveStatus(i.status) for i in instruments}
    references = {i.isin: (i.mic, i.register) for i in instruments if i.status == Status.ACTIVE}
    for batch in in_batches(list(references)):
        listings: dict[str, list[_Dates]] = {}
        for values in _ACTIVE_LISTINGS.read(*batch):
            listing = _Dates(*values)
            listings.setdefault(listing.isin, []).append(listing)
        for isin, active in listings.items():
            reference = next(
                (row for row in active if (row.mic, row.register) == references[isin]), active[0]
            )
            statuses[isin] = get_effective_status_of_all(active, reference, day)
    return statuses


def filter_by_effective_status(
    instruments: InstrumentQuerySet, status: str, day: dt.date, *, many: int = MANY
) -> InstrumentQuerySet:
    """Return the instruments with this effective status on a day, by the columns that a load derives.

    Listings are not read. Fewer than `many` instruments are found by the index of their ends; otherwise a
    list in the order of ISINs soon has a page of them.
    """
    if status in (EffectiveStatus.DROPPED, EffectiveStatus.CANCELLED):
        return instruments.with_status(status)
    if status == EffectiveStatus.ACTIVE:
        is_active = Q(active_until=None) | Q(active_until__gte=day)
        return instruments.with_status(Status.ACTIVE).filter(is_active)
    conditions = _get_end_conditions(status, day)
    every = Instrument.objects.order_by()
    matching = [every.filter(condition).values("pk") for condition in conditions]
    if sum(keys[:many].count() for keys in matching) >= many:
        return instruments.filter(reduce(or_, conditions))
    first, *others = matching
    keys = first.union(*others, all=True) if others else first
    return instruments.filter(pk__in=keys).alias(**{search.FEW: Value(True)})


def _get_end_conditions(status: str, day: dt.date) -> list[Q]:
    """Return the conditions of which an instrument that ended before a day meets one, each with an index."""
    ended = Q(ended_as=status, active_until__lt=day)
    if status == EffectiveStatus.TERMINATED:
        return [ended, Q(terminates_after__isnull=False, terminates_after__lt=day)]
    return [ended & (Q(terminates_after=None) | Q(terminates_after__gte=day))]
