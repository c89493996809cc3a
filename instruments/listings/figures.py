"""Counting of the figures of analytics. Scans of the large tables: a task of the night."""

import datetime as dt
from collections import Counter, defaultdict
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.db.models.functions import ExtractYear, TruncDate

from esma_files.models import Run
from instruments.listings.status import today
from instruments.models import (
    Figure,
    FigureSubject,
    Instrument,
    InstrumentCount,
    Listing,
    Register,
    Status,
)

WEEKS = 52
DAYS_OF_SPEED = 90
QUALITY_COLUMNS = ("full_name", "cfi_code", "notional_currency", "issuer_lei")
LEAST_RECORDS = 1_000  # of a load whose speed is shown: shorter ones are mostly overhead
_LAST_YEAR = 2998  # of a real date of maturity: later ones stand for none


def recount() -> None:
    """Count all figures again, in one transaction. Those of growth are kept for each day."""
    day = today()
    with transaction.atomic():
        figures = [
            Figure(subject=subject, key=key, day=day, number=number)
            for subject, numbers in _count(day).items()
            for key, number in numbers.items()
        ]
        Figure.objects.exclude(subject=FigureSubject.GROWTH, day__lt=day).delete()
        Figure.objects.bulk_create(figures)


def _count(day: dt.date) -> dict[FigureSubject, dict[str, int]]:
    return {
        FigureSubject.CURRENCY: _count_by("notional_currency"),
        FigureSubject.MATURITY: _count_maturities(day),
        FigureSubject.QUALITY: _count_missing_values(),
        FigureSubject.GROWTH: _count_totals(),
        FigureSubject.SPEED: _measure_speed(day),
        **_count_changes(day),
    }


def _count_by(column: str) -> dict[str, int]:
    rows = Instrument.objects.order_by().values(column).annotate(number=Count("pk"))
    return dict(rows.values_list(column, "number"))


def _count_maturities(day: dt.date) -> dict[str, int]:
    """Return the number of active debt instruments by year; the same one twice if its venues disagree."""
    debt = Listing.objects.filter(
        cfi_code__startswith="D", status=Status.ACTIVE, maturity_date__gte=day
    )
    rows = (
        debt.filter(maturity_date__year__lte=_LAST_YEAR)
        .order_by()
        .annotate(year=ExtractYear("maturity_date"))
        .values("year")
        .annotate(number=Count("isin", distinct=True))
    )
    return {str(row["year"]): row["number"] for row in rows}


def _count_missing_values() -> dict[str, int]:
    missing: Any = {name: Count("pk", filter=Q((name, ""))) for name in QUALITY_COLUMNS}
    active = Instrument.objects.filter(status=Status.ACTIVE)
    # Names of aggregates must not be those of columns.
    totals = active.aggregate(
        all=Count("pk"), **{f"no_{name}": count for name, count in missing.items()}
    )
    return {"": totals["all"], **{name: totals[f"no_{name}"] for name in QUALITY_COLUMNS}}


def _count_totals() -> dict[str, int]:
    totals: Counter[str] = Counter()
    for row in InstrumentCount.objects.all():
        totals["instruments"] += row.instruments
        totals["active"] += row.instruments * (row.status == Status.ACTIVE)
        totals["listings"] += sum(getattr(row, register.counted_in) for register in Register)
    return dict(totals)


def _count_changes(day: dt.date) -> dict[FigureSubject, dict[str, int]]:
    """Return the records of deltas that added, changed or ended a listing, by week of publication."""
    loads = Run.objects.filter(kind=Run.Kind.LOAD, state=Run.State.DONE, file__kind="DLTINS")
    rows = (
        loads.filter(file__published_on__gt=day - dt.timedelta(weeks=WEEKS))
        .order_by()
        .values_list("file__published_on")
        .annotate(Sum("new"), Sum("changed"), Sum("ended"))
    )
    subjects = (FigureSubject.NEW, FigureSubject.CHANGED, FigureSubject.ENDED)
    counts: dict[FigureSubject, dict[str, int]] = {s: defaultdict(int) for s in subjects}
    for published_on, *numbers in rows:
        monday = published_on - dt.timedelta(days=published_on.weekday())
        for subject, number in zip(subjects, numbers, strict=True):
            counts[subject][str(monday)] += number
    return counts


def _measure_speed(day: dt.date) -> dict[str, int]:
    """Return the records that loads have read a second, by the day of their start."""
    loads = Run.objects.filter(
        kind=Run.Kind.LOAD, state=Run.State.DONE, read__gte=LEAST_RECORDS, seconds__gt=0
    )
    rows = (
        loads.filter(requested_at__date__gt=day - dt.timedelta(days=DAYS_OF_SPEED))
        .order_by()
        .annotate(day=TruncDate("requested_at"))
        .values_list("day")
        .annotate(Sum("read"), Sum("seconds"))
    )
    return {str(started_on): round(read / seconds) for started_on, read, seconds in rows}
