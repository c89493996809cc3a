"""Questions about transparency results: which of them applies on a day, and turnover over time.

Liquidity, thresholds and sizes are those that the authority published; none is computed here.
"""

import copy
import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from django.db.models import Min

from esma_files.models import EsmaFile
from instruments.listings.lookup import resolve_isin
from instruments.listings.status import today
from instruments.listings.terms import FIRST_REAL_DAY, get_beginning
from instruments.listings.timelines import Timeline, read_timelines_of
from instruments.models import Instrument, Listing, Register, Status, TransparencyResult
from instruments.published_results.known import read_known_begins
from instruments.transparency.applicable import (
    Applicable,
    any_needs_first_trade,
    find_applicable,
    newest_versions,
)
from instruments.transparency.turnover import Turnover, get_turnover
from marketdata.common.errors import NotInDatabase

_COLUMNS_OF_FIRST_TRADE = (
    *("isin", "mic", "register", "valid_from", "status", "cfi_code", "first_trade_at"),
    *("source_position", "fingerprint"),
)


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
    current = newest_versions(results)
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
        applies=find_applicable(results, on, first_trade=first_trade),
        turnover=get_turnover(current),
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
        traded = [isin for isin, of_isin in self._results.items() if any_needs_first_trade(of_isin)]
        self._first_trades = _read_first_trades(traded, register, known_on)

    @property
    def isins(self) -> list[str]:
        """The ISINs that have results."""
        return list(self._results)

    def get_applicable(self, isin: str, on: dt.date) -> dict[str, Applicable]:
        """Return for each of `RESPECTS` what applies to an ISIN on a day."""
        results, first_trade = self._results.get(isin, []), self._first_trades.get(isin)
        return find_applicable(results, on, first_trade=first_trade)

    def get_liquidity(self, isin: str, on: dt.date) -> Applicable:
        """Return the liquidity of an ISIN that applies on a day."""
        return self.get_applicable(isin, on)["liquidity"]


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
    last_day = known_on or dt.date.max
    files = EsmaFile.objects.in_bulk({key for row in rows for key in row.published_again or ()})
    results = []
    for row in rows:
        if row.pk in begins:
            results += [_published_with(row, file) for file in begins[row.pk]]
            continue
        if row.withdrawn_on is not None and row.withdrawn_on <= last_day:
            continue
        if (row.known_from or row.source_file.published_on) <= last_day:
            results.append(row)
        again = [files[key] for key in row.published_again or ()]
        results += [_published_with(row, file) for file in again if file.published_on <= last_day]
    return results


def _published_with(row: TransparencyResult, file: EsmaFile) -> TransparencyResult:
    """Return a result as another file published it; its position there is not known."""
    result = copy.copy(row)
    if file.pk != row.source_file_id:
        result.source_file, result.source_position = file, 0
    return result


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
    if not any_needs_first_trade(results):
        return None
    return _read_first_trades([isin], register, known_on).get(isin)


def _newest_period_first(result: TransparencyResult) -> tuple[int, int]:
    return -(result.reporting_period[1] or dt.date.min).toordinal(), result.pk
