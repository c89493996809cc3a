"""Published and effective status of listings and instruments.

The published status is the one of the newest record (or of the full set that lacks the listing). A
register keeps a listing active until it publishes the next file, and sometimes for years after the
instrument matured. The effective status also considers the days in the record: it is computed for a day
when it is read, so it is right on every day without a new file.

Placeholders end nothing (`instruments.listings.terms.is_placeholder`).
"""

import datetime as dt
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import cast

from django.db import models
from django.db.models import Case, Q, Value, When
from django.db.models.lookups import Exact

from instruments.listings import search
from instruments.listings.search import MANY
from instruments.listings.terms import get_end
from instruments.models import Instrument, InstrumentQuerySet, ListingRecord, Status


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


def get_effective_status(record: ListingRecord, day: dt.date) -> EffectiveStatus:
    """Return the effective status of a listing on a day.

    A listing is active on its termination, expiry or maturity day itself, and ended the day after. A
    termination counts before the others, of which the earlier one counts.
    """
    if record.status != Status.ACTIVE:
        return EffectiveStatus(record.status)
    terminated = get_end(record.terminated_at)
    if terminated is not None and terminated < day:
        return EffectiveStatus.TERMINATED
    ends = [
        (end, status)
        for end, status in (
            (get_end(record.expiry_date), EffectiveStatus.EXPIRED),
            (get_end(record.maturity_date), EffectiveStatus.MATURED),
        )
        if end is not None and end < day
    ]
    return min(ends, key=lambda end: end[0])[1] if ends else EffectiveStatus.ACTIVE


def get_effective_status_of_all(
    listings: Iterable[ListingRecord], reference: ListingRecord, day: dt.date
) -> EffectiveStatus:
    """Return the effective status of an instrument on a day.

    It is active while one of its listings is; otherwise it has the status of its reference listing.
    """
    if any(get_effective_status(listing, day) == EffectiveStatus.ACTIVE for listing in listings):
        return EffectiveStatus.ACTIVE
    return get_effective_status(reference, day)


def get_effective_status_of_row(instrument: Instrument, day: dt.date) -> EffectiveStatus:
    """Return the effective status of an instrument on a day, by the columns that a load derives."""
    ends_on, terminates_after = instrument.active_until, instrument.terminates_after
    if instrument.status != Status.ACTIVE or ends_on is None or ends_on >= day:
        return EffectiveStatus(instrument.status)
    if terminates_after is not None and terminates_after < day:
        return EffectiveStatus.TERMINATED
    return EffectiveStatus(str(instrument.ended_as))


def filter_by_effective_status(
    instruments: InstrumentQuerySet, status: str, day: dt.date, *, many: int = MANY
) -> InstrumentQuerySet:
    """Return the instruments with this effective status on a day, as `get_effective_status_of_row` has it.

    Fewer than `many` instruments are found by the index of their ends; otherwise a
    list in the order of ISINs soon has a page of them.
    """
    if status in (EffectiveStatus.DROPPED, EffectiveStatus.CANCELLED):
        return instruments.with_status(status)
    if status == EffectiveStatus.ACTIVE:
        is_active = Q(active_until=None) | Q(active_until__gte=day)
        return instruments.with_status(Status.ACTIVE).filter(is_active)
    conditions = _get_end_conditions(status, day)
    every = Instrument.objects.order_by()
    matching = [every.filter(condition).values("isin") for condition in conditions]
    if (number := sum(keys[:many].count() for keys in matching)) >= many:
        # An expression that no index has: by those of the ends all that match would be read and sorted.
        has_ended = Case(When(reduce(or_, conditions), then=Value(1)), default=Value(0))
        return instruments.filter(Exact(has_ended, 1))
    first, *others = matching
    keys = first.union(*others, all=True) if others else first
    return cast(InstrumentQuerySet, search.among(instruments, keys, number))


def _get_end_conditions(status: str, day: dt.date) -> list[Q]:
    """Return the conditions of which an instrument that ended before a day meets one, each with an index."""
    ended = Q(ended_as=status, active_until__lt=day)
    if status == EffectiveStatus.TERMINATED:
        return [ended, Q(terminates_after__isnull=False, terminates_after__lt=day)]
    return [ended & (Q(terminates_after=None) | Q(terminates_after__gte=day))]
