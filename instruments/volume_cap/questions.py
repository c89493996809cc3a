"""Questions about the volume cap: percentages of trading under waivers, and suspensions on a day."""

import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch

from instruments.listings.lookup import resolve_isin
from instruments.listings.status import today
from instruments.models import (
    Instrument,
    ResultQuerySet,
    VolumeCap,
    VolumeCapSuspension,
    VolumeCapVenue,
)
from instruments.published_results.models import describe_period
from marketdata.common.errors import NotInDatabase
from marketdata.common.plain import describe_columns, to_plain

VENUE_COLUMNS = ("mic", "percentage", "disclaimer")
SUSPENSION_COLUMNS = ("suspended_from", "suspended_to", "published_on", "source_name")


@dataclasses.dataclass(frozen=True)
class InstrumentVolumeCap:
    """The published volume cap results of an ISIN, and its suspensions.

    `above` is the percentage up to which venues are left out; None where none are.
    """

    isin: str
    above: Decimal | None
    results: list[VolumeCap]
    on: dt.date
    suspension: VolumeCapSuspension | None  # in force on `on`
    suspensions: list[VolumeCapSuspension]


def with_venues() -> ResultQuerySet:
    """Return all volume cap results with their venues and source files, by ISIN."""
    return (
        VolumeCap.objects.published()
        .select_related("source_file")
        .prefetch_related("venues")
        .order_by("isin", "pk")
    )


def get_volume_cap(
    isin: str, *, on: dt.date | None = None, above: Decimal | None = None
) -> InstrumentVolumeCap:
    """Return the current volume cap results of an instrument and the suspension in force on a day.

    The day is today by default, and `isin` may be a FIGI or ticker of one instrument. Raises InvalidQuery for
    a malformed one, NotInDatabase for one that no
    loaded file mentions.
    """
    isin, on = resolve_isin(isin), on or today()
    venues = VolumeCapVenue.objects.all()
    if above is not None:
        venues = venues.filter(percentage__gt=above)
    results = list(
        VolumeCap.objects.for_isin(isin)
        .select_related("source_file")
        .prefetch_related(Prefetch("venues", venues))
    )
    suspensions = list(VolumeCapSuspension.objects.filter(isin=isin))
    if not results and not suspensions and not Instrument.objects.filter(pk=isin).exists():
        raise NotInDatabase(f"No loaded file mentions {isin}.")
    in_force = [suspension for suspension in suspensions if suspension.contains(on)]
    return InstrumentVolumeCap(
        isin=isin,
        above=above,
        results=results,
        on=on,
        suspension=in_force[0] if in_force else None,
        suspensions=suspensions,
    )


def describe_volume_cap(answer: InstrumentVolumeCap) -> dict[str, Any]:
    """Return an answer as plain values."""
    return {
        **describe_columns(answer, ("isin", "above", "on")),
        "results": [describe_result(result) for result in answer.results],
        "suspension": answer.suspension and _describe_suspension(answer.suspension),
        "suspensions": [_describe_suspension(suspension) for suspension in answer.suspensions],
    }


def describe_result(result: VolumeCap) -> dict[str, Any]:
    """Return a volume cap result with its venues as plain values."""
    return {
        "isin": result.isin,
        "reporting_period": describe_period(result.reporting_period),
        **describe_columns(result, ("last_updated_on", "total_volume", "total_volume_currency")),
        "percentage": to_plain(result.percentage),
        "venues": [describe_columns(venue, VENUE_COLUMNS) for venue in result.venues.all()],
        **describe_columns(result, ("disclaimer", "superseded", "register", "technical_record_id")),
        "source_file": result.source_file.name,
        "source_position": result.source_position,
    }


def _describe_suspension(suspension: VolumeCapSuspension) -> dict[str, Any]:
    return describe_columns(suspension, SUSPENSION_COLUMNS)
