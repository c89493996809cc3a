"""Which published result applies on a day, and why; turnover over time. Nothing is computed anew."""

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable
from decimal import Decimal

from instruments.models import TransparencyResult
from instruments.transparency.fields import THRESHOLDS
from instruments.transparency.models import Period

_SIZES = (
    "average_daily_turnover",
    "average_transaction_value",
    "large_in_scale",
    "standard_market_size",
)
_THRESHOLDS = tuple(f"{name}{unit}" for name in THRESHOLDS for unit in ("", "_number"))


@dataclasses.dataclass(frozen=True)
class Applying:
    """The result that applies in one respect, if there is one, and the reason in words."""

    result: TransparencyResult | None
    why: str


@dataclasses.dataclass(frozen=True)
class Turnover:
    """Transactions and volume of one reporting period; one that `overlaps` another of the series must
    not be added to it.
    """

    first_day: dt.date | None
    last_day: dt.date | None
    methodology: str | None
    transactions: Decimal | None
    volume: Decimal | None
    overlaps: bool


def _says(*columns: str) -> Callable[[TransparencyResult], bool]:
    return lambda result: any(getattr(result, column) is not None for column in columns)


RESPECTS = {
    "liquidity": _says("liquid"),
    "thresholds": _says(*_THRESHOLDS),
    "market_size": _says(*_SIZES),
}


def applying(results: Iterable[TransparencyResult], on: dt.date) -> dict[str, Applying]:
    """For each of `RESPECTS` the result, of an ISIN's current ones, that applies on a day."""
    known = list(results)
    return {
        name: _applying([result for result in known if says(result)], name.replace("_", " "), on)
        for name, says in RESPECTS.items()
    }


def _applying(results: list[TransparencyResult], what: str, on: dt.date) -> Applying:
    """A published application period decides; without one the newest reporting period that is over."""
    if not results:
        return Applying(None, f"No result with {what} has been published.")
    applied = [result for result in results if any(result.application_period)]
    if now := [result for result in applied if _contains(result.application_period, on)]:
        best = max(now, key=_newest)
        said = f"Its application period, {said_as(best.application_period)}, contains {on}."
        return Applying(best, said)
    unsaid = [result for result in results if result not in applied]
    if over := [result for result in unsaid if (result.reporting_period[1] or on) <= on]:
        best = max(over, key=_newest)
        period = said_as(best.reporting_period)
        said = f"Its reporting period, {period}, is the newest that was over on {on}"
        return Applying(best, f"{said}; no application period is published with it.")
    return Applying(None, f"No result with {what} has a period that makes it apply on {on}.")


def _newest(result: TransparencyResult) -> tuple[dt.date, int, int]:
    last = result.reporting_period[1] or dt.date.min
    return last, result.source_file.sequence, result.source_position


def _contains(period: Period, day: dt.date) -> bool:
    first, last = period
    return (first or dt.date.min) <= day <= (last or dt.date.max)


def said_as(period: Period) -> str:
    """A period in words."""
    first, last = period
    return f"{first or 'open'} to {last or 'open'}"


def turnover(results: Iterable[TransparencyResult]) -> list[Turnover]:
    """Every published total with its reporting period, oldest first."""
    found = [r for r in results if _says("total_transactions", "total_volume")(r)]
    found.sort(
        key=lambda r: (r.reporting_period[0] or dt.date.min, r.reporting_period[1] or dt.date.max)
    )
    rows = []
    for result in found:
        first, last = result.reporting_period
        others = (other.reporting_period for other in found if other is not result)
        overlaps = any(
            (first or dt.date.min) <= (end or dt.date.max)
            and (begin or dt.date.min) <= (last or dt.date.max)
            for begin, end in others
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
