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
    totals.sort(
        key=lambda r: (r.reporting_period[0] or dt.date.min, r.reporting_period[1] or dt.date.max)
    )
    rows = []
    for result in totals:
        first, last = result.reporting_period
        other_periods = (other.reporting_period for other in totals if other is not result)
        overlaps = any(
            (first or dt.date.min) <= (end or dt.date.max)
            and (begin or dt.date.min) <= (last or dt.date.max)
            for begin, end in other_periods
        )
        rows.append(
            Turnover(
                first,
                last,
                result.methodology,
                result.total_transactions,
                result.total_volume,
                overlaps,
            )
        )
    return rows
