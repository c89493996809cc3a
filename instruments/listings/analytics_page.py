"""The page of analytics: what is loaded, how it grows and changes, its quality, and the speed of loads.

Read from the counts that loads keep, from the figures that are counted by night, and from the runs: no query
grows with the instruments.
"""

import dataclasses
import datetime as dt
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from esma_files.models import Run
from instruments.classification import cfi
from instruments.listings.figures import LEAST_RECORDS, QUALITY_COLUMNS
from instruments.models import (
    Coverage,
    Figure,
    FigureSubject,
    InstrumentCount,
    ListedVenue,
    Status,
    Venue,
)
from instruments.served_values import serve_venue
from marketdata.common.labels import label_field
from marketdata.web.access import GuardedView, is_met, reading
from marketdata.web.charts import ColumnChart, TimeAxis, draw_columns

VENUES_SHOWN = 20
CURRENCIES_SHOWN = 20
LOADS_SHOWN = 30
_YEARS_SHOWN = 30
_DAYS_OF_GROWTH = 366
_WEEK = dt.timedelta(days=7)
_DAY = dt.timedelta(days=1)
_READING_RUNS = reading("esma_files.view_run")


@dataclasses.dataclass(frozen=True)
class Share:
    """A number of listings, and its share of the largest in percent."""

    code: str
    name: str
    number: int
    share: float


class AnalyticsView(GuardedView):
    """Instruments by category, venue, country, currency and maturity; growth, churn, quality and speed."""

    needs = reading("instruments.view_instrument")

    def get(self, request: HttpRequest) -> HttpResponse:
        venues, countries, missing = _read_venues()
        figures = Figure.objects.read_newest(*FigureSubject)
        currencies = _share(
            {code: ("", number) for code, number in figures[FigureSubject.CURRENCY].items()}
        )
        context = {
            "counted_on": Figure.objects.order_by("-day").values_list("day", flat=True).first(),
            "currencies": currencies[:CURRENCIES_SHOWN],
            "currency_count": len(currencies),
            "maturities": _draw_maturities(figures[FigureSubject.MATURITY]),
            "churn": _draw_churn(figures),
            "growth": _draw_growth(),
            "quality": _describe_quality(figures[FigureSubject.QUALITY]),
            "coverage": _read_coverage(),
            "speed": _draw_days(figures[FigureSubject.SPEED], "records a second"),
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
    return (
        Venue.objects.filter(pk__in=listed)
        .order_by()
        .values_list("mic", serve_venue(), serve_venue("country"))
    )


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
        kind=Run.Kind.LOAD, state=Run.State.DONE, read__gte=LEAST_RECORDS, seconds__gt=0
    ).select_related("file")
    rows = [(run, round(run.read / run.seconds)) for run in runs[:LOADS_SHOWN]]
    largest = max((speed for _, speed in rows), default=1)
    return [{"run": run, "speed": speed, "share": 100 * speed / largest} for run, speed in rows]


def _draw_maturities(numbers: dict[str, int]) -> ColumnChart | None:
    """Return active debt by year of maturity, up to _YEARS_SHOWN years; None without any."""
    years = sorted(int(year) for year in numbers)[:_YEARS_SHOWN]
    if not years:
        return None
    axis = TimeAxis(dt.date(years[0], 1, 1), dt.date(max(years[-1], years[0] + 9), 12, 31))
    figures = [
        (
            dt.date(year, 1, 1),
            dt.date(year, 12, 31),
            Decimal(numbers[str(year)]),
            "active",
            f"{year}: {numbers[str(year)]:,}",
        )
        for year in years
    ]
    return draw_columns(axis, figures)


def _draw_churn(figures: dict[str, dict[str, int]]) -> ColumnChart | None:
    """Return the records of deltas that changed a listing, by week; None without any."""
    new, changed, ended = (
        figures[subject]
        for subject in (FigureSubject.NEW, FigureSubject.CHANGED, FigureSubject.ENDED)
    )
    if not new:
        return None
    mondays = sorted(dt.date.fromisoformat(key) for key in new)
    axis = TimeAxis(min(mondays[0], mondays[-1] - 11 * _WEEK), mondays[-1] + _WEEK - _DAY)
    columns = []
    for monday in mondays:
        numbers = [kind[str(monday)] for kind in (new, changed, ended)]
        title = "Week of {}: {:,} new, {:,} changed, {:,} ended".format(monday, *numbers)
        columns.append((monday, monday + 6 * _DAY, Decimal(sum(numbers)), "active", title))
    return draw_columns(axis, columns)


def _draw_growth() -> ColumnChart | None:
    """Return the number of instruments on each day on which it was counted; None without any. One query."""
    rows = Figure.objects.filter(subject=FigureSubject.GROWTH, key="instruments")
    newest = dict(rows.order_by("-day").values_list("day", "number")[:_DAYS_OF_GROWTH])
    return _draw_days({str(day): number for day, number in newest.items()}, "instruments")


def _draw_days(numbers: dict[str, int], unit: str) -> ColumnChart | None:
    """Return a figure of each day; None without any."""
    if not numbers:
        return None
    days = sorted(dt.date.fromisoformat(key) for key in numbers)
    axis = TimeAxis(min(days[0], days[-1] - 29 * _DAY), days[-1])
    return draw_columns(
        axis,
        [
            (
                day,
                day,
                Decimal(numbers[str(day)]),
                "active",
                f"{day}: {numbers[str(day)]:,} {unit}",
            )
            for day in days
        ],
    )


def _describe_quality(numbers: dict[str, int]) -> list[dict[str, Any]]:
    """Return for each column how many active instruments have a value in it."""
    total = numbers.get("", 0)
    if not total:
        return []
    return [
        {
            "name": label_field(column),
            "missing": numbers.get(column, 0),
            "share": 100 * (total - numbers.get(column, 0)) / total,
        }
        for column in QUALITY_COLUMNS
    ]


def _read_coverage() -> list[dict[str, Any]]:
    """Return for each other source how many instruments it has data of. One query."""
    totals: dict[str, list[int]] = {}
    for row in Coverage.objects.exclude(source=Coverage.Source.ISSUER_DIFFERENCE):
        total = totals.setdefault(row.source, [0, 0])
        total[0] += row.instruments
        total[1] += row.covered
    return [
        {"name": Coverage.Source(source).label, "covered": covered, "share": 100 * covered / number}
        for source, (number, covered) in totals.items()
        if number
    ]
