"""Questions about the volume cap: percentages of trading under waivers, and suspensions on a day."""

import dataclasses
import datetime as dt
from decimal import Decimal

from django.db.models import Prefetch

from instruments.isin import problem_of
from instruments.models import Instrument, VolumeCap, VolumeCapSuspension, VolumeCapVenue
from marketdata.common.errors import InvalidQuery, NotInDatabase


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


def volume_cap_of(isin: str, *, on: dt.date, above: Decimal | None = None) -> InstrumentVolumeCap:
    """Return the current volume cap results of an instrument and the suspension in force on a day.

    Raises InvalidQuery for a malformed ISIN, NotInDatabase where no loaded file mentions it.
    """
    isin = isin.upper()
    if problem := problem_of(isin):
        raise InvalidQuery("isin", f"{isin}: {problem}.")
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
