"""The decision which of the published results of an instrument applies on a day."""

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable

from instruments.models import TransparencyResult
from instruments.published_results.publications import publication_of
from instruments.transparency.application_periods import (
    ApplicationPeriod,
    Rule,
    equity_period,
    non_equity_period,
)
from instruments.transparency.fields import THRESHOLDS, ResultKind
from instruments.transparency.models import ResultRecord

# The respects in which a result can apply, each with the columns that hold its figures.
RESPECTS: dict[str, tuple[str, ...]] = {
    "liquidity": ("liquid",),
    "thresholds": tuple(
        f"{name}{unit}" for name in THRESHOLDS for unit in ("", "_currency", "_number")
    ),
    "market_size": (
        "average_daily_turnover",
        "average_transaction_value",
        "large_in_scale",
        "standard_market_size",
    ),
}
# Results whose application begins with the first day of trading, which only reference data tells.
_NEEDS_FIRST_TRADE = ("ESTM", "FFWK")


@dataclasses.dataclass(frozen=True)
class DatedResult:
    """A published result with the days on which it applies."""

    result: TransparencyResult
    period: ApplicationPeriod


@dataclasses.dataclass(frozen=True)
class Applicable:
    """The answer in one respect: no result, the one that applies, or several that contradict each other.

    `why` is the reason in a sentence.
    """

    why: str
    in_force: tuple[DatedResult, ...] = ()

    @property
    def only(self) -> DatedResult | None:
        """The result that applies; None where there is none, or a conflict."""
        return self.in_force[0] if len(self.in_force) == 1 else None

    @property
    def conflict(self) -> list[DatedResult]:
        """All results in force where they contradict each other; else empty."""
        return list(self.in_force) if len(self.in_force) > 1 else []


def find_applicable(
    results: Iterable[TransparencyResult], on: dt.date, *, first_trade: dt.date | None = None
) -> dict[str, Applicable]:
    """Return for each of `RESPECTS` what applies on a day, of all results of an ISIN in one register.

    Each superseded version of a result applies until its successor was published. `first_trade` is the first
    day of trading, if known.
    """
    versions = _versions_on(results, on)
    return {
        respect: _applicable_in(
            respect, [r for r in versions if _has_value(r, columns)], on, first_trade
        )
        for respect, columns in RESPECTS.items()
    }


def application_period_of(
    result: ResultRecord, first_trade: dt.date | None = None
) -> ApplicationPeriod | None:
    """Return the days on which a result applies: as published, else by the rule of its kind.

    None where it never applies (totals for the systematic-internaliser test), or where its application begins
    with the first day of trading and that is not known.
    """
    if isinstance(result, TransparencyResult) and any(result.application_period):
        return ApplicationPeriod(*result.application_period, Rule.PUBLISHED)
    reported_from, reported_to = result.reporting_period
    if result.record_kind == ResultKind.EQUITY:
        methodology = getattr(result, "methodology", None)
        return equity_period(methodology, reported_from, reported_to, first_trade=first_trade)
    return non_equity_period(
        reported_from, reported_to, is_bond=result.is_bond, first_trade=first_trade
    )


def period_text(first: dt.date | None, last: dt.date | None) -> str:
    """Return a period in words, as `2024-01-01 to 2024-12-31`."""
    return f"{first or 'open'} to {last or 'open'}"


def join_periods(periods: Iterable[ApplicationPeriod]) -> list[str]:
    """Return periods in words and in their order; those without a day between them are one."""
    joined: list[tuple[dt.date, dt.date]] = []
    bounds = {(period.first or dt.date.min, period.last or dt.date.max) for period in periods}
    for first, last in sorted(bounds):
        before = joined[-1][1] if joined else None
        if before and (first <= before or first - dt.timedelta(days=1) == before):
            joined[-1] = (joined[-1][0], max(last, before))
        else:
            joined.append((first, last))
    return [
        period_text(first if first > dt.date.min else None, last if last < dt.date.max else None)
        for first, last in joined
    ]


def _applicable_in(
    respect: str, results: list[TransparencyResult], on: dt.date, first_trade: dt.date | None
) -> Applicable:
    name = respect.replace("_", " ")
    if not results:
        return Applicable(f"No result with {name} has been published.")
    dated = [
        DatedResult(result, period)
        for result in results
        if (period := application_period_of(result, first_trade)) is not None
    ]
    in_force = _without_replaced([candidate for candidate in dated if on in candidate.period])
    if not dated and any_needs_first_trade(results):
        return Applicable(
            f"The result with {name} applies from the first day of trading, which is not known."
        )
    if not in_force:
        periods = join_periods(candidate.period for candidate in dated)
        published = f" Those published apply {', '.join(periods)}." if periods else ""
        return Applicable(f"No result with {name} applies on {on}.{published}")
    columns = RESPECTS[respect]
    if len({_figures(candidate.result, columns) for candidate in in_force}) > 1:
        files = ", ".join(sorted({candidate.result.source_file.name for candidate in in_force}))
        why = (
            f"{len(in_force)} published results apply on {on} and contradict each other ({files})."
        )
        return Applicable(why, tuple(in_force))
    best = max(in_force, key=lambda candidate: _publication_order(candidate.result))
    applies = period_text(best.period.first, best.period.last)
    return Applicable(f"Applies {applies}. {best.period.rule.text}", (best,))


def _without_replaced(in_force: list[DatedResult]) -> list[DatedResult]:
    """Drop the results that another one in force replaces.

    A published application period decides before a rule; of one kind of result, the newest publication
    replaces the others.
    """
    if any(dated.period.rule is Rule.PUBLISHED for dated in in_force):
        in_force = [dated for dated in in_force if dated.period.rule is Rule.PUBLISHED]
    newest: dict[tuple[object, ...], int] = {}
    for dated in in_force:
        kind, publication = _kind_in_force(dated), _publication(dated.result)
        newest[kind] = max(newest.get(kind, publication), publication)
    return [
        dated for dated in in_force if _publication(dated.result) == newest[_kind_in_force(dated)]
    ]


def _kind_in_force(dated: DatedResult) -> tuple[object, ...]:
    return dated.period.rule, dated.result.methodology, dated.period.first, dated.period.last


def _versions_on(results: Iterable[TransparencyResult], day: dt.date) -> list[TransparencyResult]:
    """Return of each result the version that had been published by `day`, else its earliest one.

    Versions of one publication are all returned: nothing tells which one is right.
    """
    chosen = []
    for versions in _by_result(results).values():
        published = [v for v in versions if v.source_file.published_on <= day]
        publication = (
            max(map(_publication, published)) if published else min(map(_publication, versions))
        )
        chosen += [version for version in versions if _publication(version) == publication]
    return chosen


def _publication(result: TransparencyResult) -> int:
    return publication_of(result.source_file)


def newest_versions(results: Iterable[TransparencyResult]) -> list[TransparencyResult]:
    return _versions_on(results, dt.date.max)


def _by_result(
    results: Iterable[TransparencyResult],
) -> dict[int, list[TransparencyResult]]:
    grouped: dict[int, list[TransparencyResult]] = defaultdict(list)
    for result in results:
        grouped[result.result_key].append(result)
    return grouped


def any_needs_first_trade(results: Iterable[TransparencyResult]) -> bool:
    return any(map(_needs_first_trade, results))


def _needs_first_trade(result: TransparencyResult) -> bool:
    is_new_bond = result.is_bond and result.reporting_period == (None, None)
    return result.methodology in _NEEDS_FIRST_TRADE or is_new_bond


def _has_value(result: TransparencyResult, columns: tuple[str, ...]) -> bool:
    return any(getattr(result, column) is not None for column in columns)


def _figures(result: TransparencyResult, columns: tuple[str, ...]) -> tuple[object, ...]:
    return tuple(getattr(result, column) for column in columns)


def _publication_order(result: TransparencyResult) -> tuple[dt.date, int, int]:
    last = result.reporting_period[1] or dt.date.min
    return last, result.source_file.sequence, result.source_position
