"""Answers for a list of instruments: what each is, whether it was reportable on a day, and its liquidity.

Lists of any length are answered in chunks, with a fixed number of queries for each.
"""

import dataclasses
import datetime as dt
import enum
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from instruments.list_check.items import Item
from instruments.listings import corrections, history
from instruments.listings.export_files import escape_formula, format_row
from instruments.listings.issuers import select_operators
from instruments.listings.lookup import LookupResult, LookupStatus, look_up
from instruments.listings.reportability import (
    COLUMNS,
    Reportability,
    add_traded_underlyings,
    answer_for_timelines,
)
from instruments.listings.status import get_effective_status_of_all, today
from instruments.listings.timelines import Timeline, read_timelines_of
from instruments.models import Figi, Instrument, Register, Venue
from instruments.transparency.questions import PublishedResults
from marketdata.common.plain import to_plain

# Codes for trades that are carried out on no venue (RTS 22, field 36).
_OFF_VENUE = ("XOFF", "SINT", "XXXX")
# Items of a chunk. Some instruments have a hundred listings, each with several records.
CHUNK = 200


class CheckStatus(enum.StrEnum):
    """The outcome for one line of a list."""

    FOUND = "found"
    UNKNOWN = "unknown"
    INVALID = "invalid"


@dataclasses.dataclass(frozen=True)
class Question:
    """The question for all items: the day for those that name none, the day of knowledge, the register."""

    on: dt.date | None = None
    known_on: dt.date | None = None
    register: str = ""


# The columns of an answer, in the order of a table or a CSV file.
COLUMN_HELP = {
    "line": "Number of the line, from 1",
    "isin": "ISIN, of the instrument that a FIGI or ticker means; if it means none, the code as given",
    "mic": "MIC as given; XOFF, SINT and XXXX mean that the trade was on no venue",
    "on": "Day of the answer; of an invalid line the day that it names, if any",
    "status": "found, unknown (in no loaded file) or invalid (not an ISIN, MIC or day)",
    "reason": "The answer in a sentence, or why there is none",
    "reportable": "Whether it was reportable on the day, and so every transaction in it, wherever carried out"
    " (MiFIR, Article 26(2)), in the EU or the UK unless one register is asked for; null if unknown or"
    " invalid",
    "reportable_there": "Whether it was reportable on the venue of the line, or on a segment of it; null if"
    " none is named",
    "venues": "MICs on which it was reportable on the day, separated by spaces",
    "traded_underlyings": "ISINs of underlyings that were traded on the day, separated by spaces, of a"
    " derivative that ended on all venues before its expiry: if it still existed, it was reportable because"
    " of them (MiFIR, Article 26(2)(b) and (c))",
    "full_name": "Full name",
    "cfi_code": "CFI code",
    "published_status": "Status by the newest publication, or the newest one by `known_on`",
    "effective_status": "Status on the day, by the dates of termination, expiry and maturity too",
    "issuer_lei": "LEI of the issuer by the newest record, or the newest one by `known_on`; empty if none is"
    " published or if it is a venue operator's",
    "figis": "FIGIs of the share class, else the composite FIGIs, else all, separated by spaces",
    "liquid": "Whether it was liquid on the day, by the result in force; null if there is none",
    "liquidity_reason": "Which result applies, or why none does",
}
COLUMNS_OF_ANSWER = tuple(COLUMN_HELP)


def answer_items(items: Iterable[Item], question: Question) -> Iterator[dict[str, Any]]:
    """Yield an answer of plain values for each item, in the same order.

    Seventeen queries a chunk at most; more with `known_on`, as `PublishedResults` and `read_timelines_of`.
    """
    remaining = iter(items)
    while chunk := list(itertools.islice(remaining, CHUNK)):
        yield from _answer_chunk(chunk, question)


def format_csv(answers: Iterable[dict[str, Any]], *, spreadsheet: bool = False) -> Iterator[str]:
    """Yield answers as CSV, with a header line; empty for null, `true` and `false`.

    With `spreadsheet`, texts that a spreadsheet program would read as formulas begin with an apostrophe.
    """
    make_safe = escape_formula if spreadsheet else str
    yield format_row(COLUMNS_OF_ANSWER)
    for answer in answers:
        yield format_row([make_safe(_to_text(answer[name])) for name in COLUMNS_OF_ANSWER])


def _to_text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _answer_chunk(items: Sequence[Item], question: Question) -> Iterator[dict[str, Any]]:
    outcomes = _look_up([item.code for item in items])
    isins = sorted({row.instrument_isin for row in outcomes.values() if row.instrument_isin})
    days = [item.on or question.on or today() for item in items]
    chunk = _Chunk(isins, question)
    reportabilities = chunk.get_reportabilities(
        {
            (isin, day)
            for item, day in zip(items, days, strict=True)
            if item.problem is None and (isin := outcomes[item.code].instrument_isin)
        }
    )
    covered = Venue.objects.read_covered(
        {item.mic for item in items if item.mic and item.problem is None}.difference(_OFF_VENUE)
    )
    for item, day in zip(items, days, strict=True):
        outcome = outcomes[item.code]
        isin = outcome.instrument_isin
        answer = dict.fromkeys(COLUMNS_OF_ANSWER) | {
            "line": item.line,
            "isin": isin or item.code,
            "mic": item.mic or None,
            "on": to_plain(day),
        }
        if item.problem is not None or outcome.status == LookupStatus.INVALID:
            answer["status"] = CheckStatus.INVALID.value
            answer |= {"on": to_plain(item.on), "reason": item.problem or outcome.reason}
        elif isin is None:
            answer |= {"status": CheckStatus.UNKNOWN.value, "reason": outcome.reason}
        else:
            answer["status"] = CheckStatus.FOUND.value
            reportability = reportabilities[isin, day]
            answer |= _describe_reportability(reportability, item.mic, covered.get(item.mic))
            answer |= chunk.describe(isin, day)
            answer |= chunk.get_liquidity(isin, day)
        yield answer


def _look_up(codes: Sequence[str]) -> dict[str, LookupResult]:
    """Return the outcome for each code as it is in the list: outcomes have it without spaces around it."""
    unique = list(dict.fromkeys(codes))
    return dict(zip(unique, look_up(unique), strict=True))


class _Chunk:
    """The rows of the database for the ISINs of a chunk."""

    def __init__(self, isins: list[str], question: Question) -> None:
        self._question = question
        is_snapshot = bool(question.known_on or question.register)
        self._timelines: dict[str, list[Timeline]] = read_timelines_of(
            isins,
            known_on=question.known_on,
            register=question.register,
            columns=(*COLUMNS, *history.SNAPSHOT_COLUMNS) if is_snapshot else COLUMNS,
        )
        self._instruments = self._read_snapshots() if is_snapshot else _read_instruments(isins)
        self._operators = select_operators(row.issuer_lei for row in self._instruments.values())
        self._results = PublishedResults(
            isins, known_on=question.known_on, register=question.register or Register.ESMA
        )
        self._figis = _read_figis(isins)

    def get_reportabilities(
        self, keys: Iterable[tuple[str, dt.date]]
    ) -> dict[tuple[str, dt.date], Reportability]:
        """Return whether and where instruments were reportable on days."""
        answers = [
            answer_for_timelines(isin, self._timelines.get(isin, []), day, self._question.known_on)
            for isin, day in keys
        ]
        completed = add_traded_underlyings(answers, register=self._question.register)
        return {(answer.isin, answer.on): answer for answer in completed}

    def describe(self, isin: str, day: dt.date) -> dict[str, Any]:
        """Return what an instrument is, and its FIGIs; of one of which nothing was known, its FIGIs alone."""
        figis = {"figis": " ".join(self._figis.get(isin, []))}
        instrument = self._instruments.get(isin)
        if instrument is None:
            return figis
        lei = instrument.issuer_lei
        return figis | {
            "full_name": instrument.full_name,
            "cfi_code": instrument.cfi_code,
            "published_status": str(instrument.status),
            "effective_status": _get_effective_status(
                instrument, self._timelines.get(isin, []), day
            ),
            "issuer_lei": "" if lei in self._operators else lei,
        }

    def get_liquidity(self, isin: str, day: dt.date) -> dict[str, Any]:
        answer = self._results.get_liquidity(isin, day)
        liquid = answer.only.result.liquid if answer.only else None
        return {"liquid": liquid, "liquidity_reason": answer.why}

    def _read_snapshots(self) -> dict[str, Instrument]:
        """Return the instruments by the listings of a register, or by those known on a day."""
        snapshots = {
            isin: history.make_snapshot(isin, [timeline[-1] for timeline in timelines])
            for isin, timelines in self._timelines.items()
        }
        if self._question.known_on is None:  # corrections do not apply to what was known on a day
            corrections.correct_instruments(snapshots.values())
        return snapshots


def _read_instruments(isins: Sequence[str]) -> dict[str, Instrument]:
    return {row.isin: row for row in Instrument.objects.filter(pk__in=isins)}


def _read_figis(isins: Sequence[str]) -> dict[str, list[str]]:
    """Return the widest FIGIs known of each ISIN: of the share class, else composite ones, else all."""
    kinds: dict[str, tuple[set[str], set[str], set[str]]] = {}
    rows = Figi.objects.filter(isin__in=isins, is_current=True).order_by()
    for isin, *figis in rows.values_list("isin", "share_class_figi", "composite_figi", "figi"):
        for known, figi in zip(kinds.setdefault(isin, (set(), set(), set())), figis, strict=True):
            known.add(figi)
    return {
        isin: sorted(next((known - {""} for known in widths if known - {""}), set()))
        for isin, widths in kinds.items()
    }


def _describe_reportability(
    answer: Reportability, mic: str, covered: Collection[str] | None
) -> dict[str, Any]:
    """Return whether and where an instrument was reportable, and whether on the venue of the line.

    `covered` are the MIC and those of its segments; None if the trade was on no venue, or none is named.
    """
    mics = [listing.record.mic for listing in answer.listings if listing.is_reportable]
    reason, is_reportable_there = answer.reason, None
    if covered is not None:
        there = [listing for listing in answer.listings if listing.record.mic in covered]
        is_reportable_there = any(listing.is_reportable for listing in there)
        if not there:
            reason += f" {_describe_absence(mic, answer)}"
        elif not is_reportable_there:
            reason += f" Not on {mic}: {there[0].reason}."
    return {
        "reason": reason,
        "reportable": answer.is_reportable,
        "reportable_there": is_reportable_there,
        "venues": " ".join(dict.fromkeys(mics)),
        "traded_underlyings": " ".join(answer.traded_underlyings),
    }


def _describe_absence(mic: str, answer: Reportability) -> str:
    """Return the sentence for an instrument without a listing on a venue.

    If it was reportable on no other either, five of its venues are named.
    """
    if answer.is_reportable:
        return f"It has no listing on {mic}."
    mics = sorted({listing.record.mic for listing in answer.listings})
    shown = ", ".join(mics[:5]) + (" ..." if len(mics) > 5 else "")
    return f"It has no listing on {mic}; it has on {shown or 'no venue'}."


def _get_effective_status(
    instrument: Instrument, timelines: Sequence[Timeline], day: dt.date
) -> str | None:
    """Return the status on a day by the newest record known of each listing; None if none is known."""
    newest = [timeline[-1] for timeline in timelines]
    if not newest:
        return None
    key = (instrument.mic, instrument.register)
    reference = next((row for row in newest if (row.mic, row.register) == key), newest[0])
    return str(get_effective_status_of_all(newest, reference, day))
