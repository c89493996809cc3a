"""Turnover of an instrument over time, by its published results."""

import dataclasses
import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from instruments.models import TransparencyResult

_TURNOVER = ("total_transactions", "total_volume")


@dataclasses.dataclass(frozen=True)
class Turnover:
    """Transactions and volume of one reporting period.

    One that `overlaps` another period of the series must not be added to it.
    """

    first_day: dt.date | None
    last_day: dt.date | None
    methodology: str | None
    transactions: Decimal | None
    volume: Decimal | None
    overlaps: bool


def get_turnover(results: Iterable[TransparencyResult]) -> list[Turnover]:
    """Return every published total with its reporting period, oldest first."""
    totals = [
        result
        for result in results
        if any(getattr(result, column) is not None for column in _TURNOVER)
    ]
    totals.sort(key=_get_bounds)
    bounds = [_get_bounds(result) for result in totals]
    rows = []
    for number, result in enumerate(totals):
        begin, end = bounds[number]
        others = bounds[:number] + bounds[number + 1 :]
        rows.append(
            Turnover(
                *result.reporting_period,
                result.methodology,
                result.total_transactions,
                result.total_volume,
                overlaps=any(first <= end and begin <= last for first, last in others),
            )
        )
    return rows


def _get_bounds(result: TransparencyResult) -> tuple[dt.date, dt.date]:
    """Return the reporting period of a result; an end that is not published is as far away as dates go."""
    first, last = result.reporting_period
    return first or dt.date.min, last or dt.date.max
