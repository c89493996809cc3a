"""Questions about transparency results: which of them applies on a day, and turnover over time.

Liquidity, thresholds and sizes are those that the authority published; none is computed here.
"""

import copy
import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from django.db.models import Min

from esma_files.models import EsmaFile
from instruments.listings.lookup import resolve_isin
from instruments.listings.status import today
from instruments.listings.terms import FIRST_REAL_DAY, get_beginning
from instruments.listings.timelines import Timeline, read_timelines_of
from instruments.models import Instrument, Listing, Register, Status, TransparencyResult
from instruments.published_results.known import read_known_begins
from instruments.published_results.publications import publication_of
from instruments.transparency.application_periods import (
    ApplicationPeriod,
    Rule,
    equity_period,
    non_equity_period,
)
from instruments.transparency.fields import THRESHOLDS, ResultKind
from instruments.transparency.models import ResultRecord
from marketdata.common.errors import NotInDatabase

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
_TURNOVER = ("total_transactions", "total_volume")
# Results whose application begins with the first day of trading, which only reference data tells.
_NEEDS_FIRST_TRADE = ("ESTM", "FFWK")
_COLUMNS_OF_FIRST_TRADE = (
    *("isin", "mic", "register", "valid_from", "status", "cfi_code", "first_trade_at"),
    *("source_position", "fingerprint"),
)


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


@dataclasses.dataclass(frozen=True)
class InstrumentTransparency:
    """The results that one register publishes for an ISIN, and those that apply on a day."""

    isin: str
    on: dt.date
    known_on: dt.date | None
    register: Register
    other_registers: list[str]  # that publish results of this ISIN too
    first_trade: dt.date | None  # where an application period depends on it, and it is known
    applies: dict[str, Applicable]
    turnover: list[Turnover]
    results: list[TransparencyResult]


def get_transparency(
    isin: str,
    *,
    on: dt.date | None = None,
    known_on: dt.date | None = None,
    register: str = Register.ESMA,
) -> InstrumentTransparency:
    """Return what applies to an instrument on a day, as it was known on `known_on` (both: today by default).

    `isin` may be a FIGI or ticker of one instrument. Raises InvalidQuery for a malformed one, NotInDatabase
    where no loaded file mentions it.
    """
    isin, on, register = resolve_isin(isin), on or today(), Register(register)
    rows = list(TransparencyResult.objects.filter(isin=isin).select_related("source_file"))
    if not rows and not Instrument.objects.filter(pk=isin).exists():
        raise NotInDatabase(f"No loaded file mentions {isin}.")
    results = _publications_of([row for row in rows if row.register == register], known_on)
    first_trade = first_trade_of(isin, register, results, known_on=known_on)
    current = _newest_versions(results)
    if known_on is not None:  # the columns tell what is current now
        for result in results:
            result.superseded = not any(result is newest for newest in current)
    return InstrumentTransparency(
        isin=isin,
        on=on,
        known_on=known_on,
        register=register,
        other_registers=sorted({row.register for row in rows} - {register}),
        first_trade=first_trade,
        applies=applicable(results, on, first_trade=first_trade),
        turnover=turnover(current),
        results=sorted(current, key=_newest_period_first),
    )


def get_liquidity(
    isins: Sequence[str], on: dt.date, *, register: str = Register.ESMA
) -> dict[str, Applicable]:
    """Return for each ISIN with results of a register the liquidity that applies on a day.

    Three queries at most, for at most 500 ISINs.
    """
    results = PublishedResults(isins, register=register)
    return {isin: results.get_liquidity(isin, on) for isin in results.isins}


class PublishedResults:
    """The results that a register publishes for at most 500 ISINs, for questions about several days.

    With `known_on`, as they were known on that day. Three queries at most; with `known_on` four more, and for
    results of republished files those of `read_known_begins`.
    """

    def __init__(
        self,
        isins: Sequence[str],
        *,
        known_on: dt.date | None = None,
        register: str = Register.ESMA,
    ) -> None:
        rows = TransparencyResult.objects.filter(isin__in=isins, register=register).order_by("pk")
        self._results: dict[str, list[TransparencyResult]] = defaultdict(list)
        for result in _publications_of(list(rows.select_related("source_file")), known_on):
            self._results[result.isin].append(result)
        traded = [
            isin for isin, of_isin in self._results.items() if _any_needs_first_trade(of_isin)
        ]
        self._first_trades = _read_first_trades(traded, register, known_on)

    @property
    def isins(self) -> list[str]:
        """The ISINs that have results."""
        return list(self._results)

    def get_liquidity(self, isin: str, on: dt.date) -> Applicable:
        """Return the liquidity of an ISIN that applies on a day."""
        results, first_trade = self._results.get(isin, []), self._first_trades.get(isin)
        return applicable(results, on, first_trade=first_trade)["liquidity"]


def _read_first_trades(
    isins: Sequence[str], register: str, known_on: dt.date | None
) -> dict[str, dt.date]:
    """Return the first day of trading of each ISIN, where it is known, or was on `known_on`."""
    if not isins:
        return {}
    if known_on is not None:
        timelines = read_timelines_of(
            isins, known_on=known_on, register=register, columns=_COLUMNS_OF_FIRST_TRADE
        )
        known = {isin: _find_first_trade(of_isin) for isin, of_isin in timelines.items()}
        return {isin: first for isin, first in known.items() if first is not None}
    begin = dt.datetime.combine(FIRST_REAL_DAY, dt.time.min, dt.UTC)
    traded = Listing.objects.filter(isin__in=isins, register=register, first_trade_at__gte=begin)
    valid = traded.exclude(status=Status.CANCELLED).order_by()
    firsts = valid.values("isin").annotate(first=Min("first_trade_at"))
    return {row["isin"]: row["first"].date() for row in firsts}


def _find_first_trade(timelines: Iterable[Timeline]) -> dt.date | None:
    """Return the first trade by the newest record of each listing; what was cancelled was never traded."""
    newest = [timeline[-1] for timeline in timelines if timeline[-1].status != Status.CANCELLED]
    days = [get_beginning(record.first_trade_at) for record in newest]
    return min((day for day in days if day is not None), default=None)


def _publications_of(
    rows: list[TransparencyResult], known_on: dt.date | None
) -> list[TransparencyResult]:
    """Return results, one for each publication with which they came into force.

    A result that was published again after a correction is returned again, with that file. With `known_on`,
    only what had been published by that day, as it was before files were republished later.
    """
    begins = {} if known_on is None else read_known_begins(rows, known_on)
    files = EsmaFile.objects.in_bulk({key for row in rows for key in row.published_again or ()})
    results = []
    for row in rows:
        if row.pk in begins:
            results += [_published_with(row, file) for file in begins[row.pk]]
            continue
        if row.withdrawn_on is not None and (known_on is None or row.withdrawn_on <= known_on):
            continue
        known_from = row.known_from or row.source_file.published_on
        if known_on is None or known_from <= known_on:
            results.append(row)
        results += [
            _published_with(row, files[key])
            for key in row.published_again or ()
            if known_on is None or files[key].published_on <= known_on
        ]
    return results


def _published_with(row: TransparencyResult, file: EsmaFile) -> TransparencyResult:
    """Return a result as another file published it; its position there is not known."""
    result = copy.copy(row)
    if file.pk != row.source_file_id:
        result.source_file, result.source_position = file, 0
    return result


def applicable(
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


def first_trade_of(
    isin: str,
    register: Register,
    results: Collection[TransparencyResult],
    *,
    known_on: dt.date | None = None,
) -> dt.date | None:
    """Return the first day on which an instrument was traded anywhere, by its listings.

    With `known_on`, by what was known of them on that day. Asks the database only where one of `results`
    needs it; None otherwise, or where it is not known. Dates before 1900 stand for "none".
    """
    if not _any_needs_first_trade(results):
        return None
    return _read_first_trades([isin], register, known_on).get(isin)


def turnover(results: Iterable[TransparencyResult]) -> list[Turnover]:
    """Return every published total with its reporting period, oldest first."""
    totals = [result for result in results if _has_value(result, _TURNOVER)]
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


def period_text(first: dt.date | None, last: dt.date | None) -> str:
    """Return a period in words, as `2024-01-01 to 2024-12-31`."""
    return f"{first or 'open'} to {last or 'open'}"


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
    if not in_force:
        if not dated and _any_needs_first_trade(results):
            return Applicable(
                f"The result with {name} applies from the first day of trading, which is not known."
            )
        periods = sorted({period_text(d.period.first, d.period.last) for d in dated})
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


def _newest_versions(results: Iterable[TransparencyResult]) -> list[TransparencyResult]:
    return _versions_on(results, dt.date.max)


def _by_result(
    results: Iterable[TransparencyResult],
) -> dict[int, list[TransparencyResult]]:
    grouped: dict[int, list[TransparencyResult]] = defaultdict(list)
    for result in results:
        grouped[result.result_key].append(result)
    return grouped


def _any_needs_first_trade(results: Iterable[TransparencyResult]) -> bool:
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


def _newest_period_first(result: TransparencyResult) -> tuple[int, int]:
    return -(result.reporting_period[1] or dt.date.min).toordinal(), result.pk
