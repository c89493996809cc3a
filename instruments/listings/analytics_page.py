"""The page of analytics: what is loaded by category, status, venue and country, and the speed of loads.

Read from the counts that loads keep and from the runs: no query grows with the instruments.
"""

import dataclasses
from collections import Counter, defaultdict
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from esma_files.models import Run
from instruments.classification import cfi
from instruments.models import InstrumentCount, ListedVenue, Status, Venue
from marketdata.common.access import GuardedView, is_met, reading

VENUES_SHOWN = 20
LOADS_SHOWN = 30
_LEAST_RECORDS = 1_000  # of a load whose speed is shown: shorter ones are mostly overhead
_READING_RUNS = reading("esma_files.view_run")


@dataclasses.dataclass(frozen=True)
class Share:
    """A number of listings, and its share of the largest in percent."""

    code: str
    name: str
    number: int
    share: float


class AnalyticsView(GuardedView):
    """Instruments by category and status, listings by venue and country, and the speed of the last loads."""

    needs = reading("instruments.view_instrument")

    def get(self, request: HttpRequest) -> HttpResponse:
        venues, countries, missing = _read_venues()
        context = {
            "statuses": [status.label for status in Status],
            "categories": _read_categories(),
            "venues": venues[:VENUES_SHOWN],
            "venue_count": len(venues),
            "countries": countries,
            "missing": missing,
            "loads": _read_loads() if is_met(_READING_RUNS, request.user) else [],
        }
        return render(request, "instruments/analytics.html", context)


def _read_categories() -> list[dict[str, Any]]:
    """Return the instruments of each category by published status, the largest first. One query."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in InstrumentCount.objects.exclude(instruments=0):
        counts[row.category][row.status] += row.instruments
    names = cfi.category_names()
    rows = [
        {
            "category": category,
            "name": names.get(category, "No CFI code"),
            "numbers": [by_status[status] for status in Status],
            "total": by_status.total(),
        }
        for category, by_status in counts.items()
    ]
    return sorted(rows, key=lambda row: -row["total"])


def _read_venues() -> tuple[list[Share], list[Share], int]:
    """Return listings by venue and by country, the most first, and the number on MICs that the list lacks.

    Two queries.
    """
    listed = dict(ListedVenue.objects.exclude(listings=0).values_list("mic", "listings"))
    known = {mic: (name, country) for mic, name, country in _read_names()}
    by_country: Counter[str] = Counter()
    for mic, number in listed.items():
        if mic in known:
            by_country[known[mic][1]] += number
    venues = {mic: (known.get(mic, ("", ""))[0], number) for mic, number in listed.items()}
    countries = {country: ("", number) for country, number in by_country.items()}
    missing = sum(number for mic, number in listed.items() if mic not in known)
    return _share(venues), _share(countries), missing


def _read_names() -> Any:
    listed = ListedVenue.objects.exclude(listings=0).order_by().values("mic")
    return Venue.objects.filter(pk__in=listed).order_by().values_list("mic", "name", "country")


def _share(numbers: dict[str, tuple[str, int]]) -> list[Share]:
    largest = max((number for _, number in numbers.values()), default=1)
    rows = [
        Share(code, name, number, 100 * number / largest)
        for code, (name, number) in numbers.items()
    ]
    return sorted(rows, key=lambda row: (-row.number, row.code))


def _read_loads() -> list[dict[str, Any]]:
    """Return the last loads with their records a second, the newest first. One query."""
    runs = Run.objects.filter(
        kind=Run.Kind.LOAD, state=Run.State.DONE, read__gte=_LEAST_RECORDS, seconds__gt=0
    ).select_related("file")
    rows = [(run, round(run.read / run.seconds)) for run in runs[:LOADS_SHOWN]]
    largest = max((speed for _, speed in rows), default=1)
    return [{"run": run, "speed": speed, "share": 100 * speed / largest} for run, speed in rows]
