"""Reportability: whether, and on which venues, an instrument was reportable on a day (MiFIR, Article 26).

The answer comes from the newest record known of each listing, by its own dates (RTS 23 fields 8 to 12).
The start of its publication period plays no part: in a full file it is often a recent re-publication,
years after the first trade.

A derivative that no venue trades any more may be reportable because of its underlyings: the answer for an
instrument names those that were traded on a venue on the day. The register does not say what an index is
composed of, so those of an index are not known.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence, Set

from instruments.listings import history
from instruments.listings.fields import RecordKind
from instruments.listings.history import Basis
from instruments.listings.status import today
from instruments.listings.terms import get_beginning, get_end
from instruments.listings.timelines import Timeline, read_timelines, read_timelines_of
from instruments.listings.underlyings import read_securities
from instruments.models import ListingRecord, Register, Status, Venue

RULE = (
    "Reportable on a venue from the first trade, or an earlier request or approval for admission to"
    " trading, until the termination, both days included, by the newest record known of the listing"
    " (RTS 23 fields 8 to 12; MiFIR Article 26: that of the EU for ESMA's register, of the UK for the FCA's)."
    " Off venue, a derivative is also reportable while its underlying, or an instrument of its basket or"
    " index, is traded on a venue (Article 26(2)(b) and (c))."
)
_MAX_UNDERLYINGS = 20  # of a basket: the first ones, because one that was traded decides

# The columns of a record that an answer needs.
COLUMNS = (
    *("isin", "mic", "register", "valid_from", "status", "record_kind", "cfi_code"),
    *("first_trade_at", "admission_requested_at", "admission_approved_at", "terminated_at"),
    *("published_to", "published_period_to", "expiry_date", "maturity_date"),
    *("underlying_isin", "underlying_basket"),
    *("source_file", "source_position", "fingerprint"),
)


@dataclasses.dataclass(frozen=True)
class VenueAnswer:
    """The answer for one listing.

    `is_traded` is False between a request for admission and the first trade.
    """

    record: ListingRecord
    basis: Basis
    is_reportable: bool
    is_traded: bool
    reason: str
    # Traded before the day, no longer on it, and neither expired nor matured by then.
    may_exist: bool = False


@dataclasses.dataclass(frozen=True)
class Reportability:
    """The answer for an instrument: its listings, the reportable ones first, by venue and register.

    `traded_underlyings` are the ISINs of underlyings that were traded on a trading venue on the day, which a
    systematic internaliser is not; looked up only for an instrument that may exist, and has no reportable
    listing.
    """

    isin: str
    on: dt.date
    known_on: dt.date | None
    listings: tuple[VenueAnswer, ...]
    traded_underlyings: tuple[str, ...] = ()

    @property
    def is_reportable(self) -> bool:
        return any(listing.is_reportable for listing in self.listings)

    @property
    def reason(self) -> str:
        """The answer in a sentence, and another one if there are traded underlyings."""
        if self.is_reportable:
            return f"Reportable on {self.on}: {self._name_venues()}."
        if not self.listings:
            known = f" published by {self.known_on}" if self.known_on else ""
            return f"Not reportable on {self.on}: no record of it{known} is known."
        reason = f"Not reportable on {self.on}: on no venue was it traded or requested for trading."
        if self.traded_underlyings:
            reason += (
                " If it still existed, a transaction in it was reportable off venue, because an underlying"
                f" was traded: {', '.join(self.traded_underlyings)} (MiFIR, Article 26(2)(b) and (c))."
            )
        return reason

    def _name_venues(self) -> str:
        """Return the MICs; if the UK register has listings, by register, because each follows its own law."""
        mics: dict[str, dict[str, None]] = {}
        for answer in self.listings:
            of_register = mics.setdefault(answer.record.register, {})
            if answer.is_reportable:
                of_register[answer.record.mic] = None
        if Register.FCA not in mics:
            return ", ".join(mics[Register.ESMA])
        return "; ".join(
            f"{', '.join(of_register) or 'on no venue'} ({register})"
            for register, of_register in sorted(mics.items())
        )


def get_reportability(
    isin: str, *, on: dt.date | None = None, known_on: dt.date | None = None, register: str = ""
) -> Reportability:
    """Return whether an instrument was reportable on a day (today without `on`).

    With `known_on`, only records published by the end of that day are used. Three queries, and four more
    for the underlyings of a derivative that has ended early.
    """
    timelines = read_timelines(isin, known_on=known_on, register=register)
    answer = answer_for_timelines(isin, timelines, on or today(), known_on)
    [answer] = add_traded_underlyings([answer], register=register)
    return answer


def add_traded_underlyings(
    answers: Sequence[Reportability], *, register: str = ""
) -> list[Reportability]:
    """Return the answers, all for the same `known_on`, with the underlyings traded on the day of each.

    Four queries if one of the answers is for a derivative that has ended early, else none; more for over
    500 underlyings.
    """
    underlyings = [_find_underlyings(answer) for answer in answers]
    isins = sorted(set().union(*underlyings))
    if not isins:
        return list(answers)
    timelines = read_timelines_of(
        isins, known_on=answers[0].known_on, register=register, columns=COLUMNS
    )
    trading_venues = set(Venue.objects.trading_venues().values_list("pk", flat=True))
    completed = []
    for answer, codes in zip(answers, underlyings, strict=True):
        traded = tuple(
            code
            for code in codes
            if _is_traded_on(trading_venues, timelines.get(code, ()), answer.on)
        )
        completed.append(dataclasses.replace(answer, traded_underlyings=traded))
    return completed


def _is_traded_on(venues: Set[str], timelines: Iterable[Timeline], day: dt.date) -> bool:
    answers = (answer_for_listing(timeline, day) for timeline in timelines)
    return any(answer.is_traded and answer.record.mic in venues for answer in answers)


def _find_underlyings(answer: Reportability) -> list[str]:
    """Return the ISINs of the securities, single or in a basket, that underlie listings that may exist."""
    if answer.is_reportable:
        return []
    isins = {
        isin
        for listing in answer.listings
        if listing.may_exist
        for isin in read_securities(listing.record)
    }
    return sorted(isins - {answer.isin})[:_MAX_UNDERLYINGS]


def answer_for_timelines(
    isin: str, timelines: Iterable[Timeline], day: dt.date, known_on: dt.date | None = None
) -> Reportability:
    """Return the answer for an instrument on a day from the timelines of its listings."""
    answers = [answer_for_listing(timeline, day) for timeline in timelines]
    answers.sort(key=lambda answer: not answer.is_reportable)
    return Reportability(isin, day, known_on, tuple(answers))


def answer_for_listing(timeline: Timeline, day: dt.date) -> VenueAnswer:
    """Return the answer for a listing on a day.

    A listing that was admitted again after its end has several periods of trading: the newest record of
    each counts.
    """
    is_before_records = day < min(record.valid_from for record in timeline)
    basis = Basis.EARLIEST_KNOWN if is_before_records else Basis.NEWEST_RECORD
    newest, *earlier = _get_newest_of_periods(timeline)
    answer = _answer(newest, day, basis)
    if newest.status == Status.CANCELLED or answer.is_reportable:
        return answer
    earlier_answers = (_answer(record, day, basis) for record in earlier)
    return next((other for other in earlier_answers if other.is_reportable), answer)


def _get_newest_of_periods(timeline: Timeline) -> list[ListingRecord]:
    """Return the newest record of each period of trading, the last period first.

    A period starts with the record after a termination, if it is a new one, or has a first trade after that
    termination: a full file has no new records. What was cancelled is left out.
    """
    newest = [timeline[-1]]
    for record, following in zip(timeline[-2::-1], timeline[:0:-1], strict=True):
        if Status.CANCELLED in (record.status, following.status):
            break
        if record.status == Status.TERMINATED and _is_admitted_again(record, following):
            newest.append(record)
    return newest


def _is_admitted_again(terminated: ListingRecord, following: ListingRecord) -> bool:
    if following.record_kind == RecordKind.NEW:
        return True
    first_trade, end = following.first_trade_at, terminated.terminated_at
    if first_trade is None or end is None or get_end(end) is None:
        return False
    return first_trade > end


def _answer(record: ListingRecord, day: dt.date, basis: Basis) -> VenueAnswer:
    if record.status == Status.CANCELLED:
        reason = "cancelled: the register declares that it was never valid"
        return VenueAnswer(record, basis, is_reportable=False, is_traded=False, reason=reason)
    has_begun, beginning = _describe_beginning(record, day)
    has_ended, end = _describe_end(record, day)
    is_reportable = has_begun and not has_ended
    first_trade = record.first_trade_at
    is_traded = is_reportable and (first_trade is None or first_trade.date() <= day)
    parts = [beginning, end] if has_begun else [beginning]
    matured = _describe_maturity(record, day)
    if is_reportable and matured:
        parts.append(matured)
    may_exist = has_begun and has_ended and not matured
    return VenueAnswer(record, basis, is_reportable, is_traded, ", ".join(parts), may_exist)


def _describe_beginning(record: ListingRecord, day: dt.date) -> tuple[bool, str]:
    """Return whether trading, or the request for it, had begun by a day, and the words for it."""
    first_trade = get_beginning(record.first_trade_at)
    if first_trade is not None and first_trade <= day:
        return True, f"first traded {first_trade}"
    dates = {
        "admission to trading requested": get_beginning(record.admission_requested_at),
        "admission to trading approved by the issuer": get_beginning(record.admission_approved_at),
    }
    first_traded = ""
    if first_trade is not None:
        first_traded = f"first traded later, on {first_trade}"
    for words, date in dates.items():
        if date is not None and date <= day:
            return True, ", ".join(filter(None, [f"{words} {date}", first_traded]))
    if first_traded:
        return False, first_traded
    for words, date in dates.items():
        if date is not None:
            return False, f"{words} later, on {date}"
    return True, "no date of a first trade or an admission is published"


def _describe_end(record: ListingRecord, day: dt.date) -> tuple[bool, str]:
    """Return whether trading had ended before a day, and the words for it."""
    terminated = get_end(record.terminated_at)
    if terminated is not None:
        if terminated < day:
            return True, f"terminated {terminated}"
        return _describe_drop(record, day) or (False, f"terminated later, on {terminated}")
    if record.status == Status.TERMINATED:
        return _describe_undated_termination(record, day)
    return _describe_drop(record, day) or (False, "not terminated")


def _describe_undated_termination(record: ListingRecord, day: dt.date) -> tuple[bool, str]:
    last_day = get_end(record.published_period_to or record.published_to)
    if last_day is not None:
        words = f"terminated, published until {last_day}, without a termination date"
        return last_day < day, words
    published_on = record.source_file.published_on
    words = f"termination published on {published_on}, without a termination date"
    return published_on <= day, words


def _describe_drop(record: ListingRecord, day: dt.date) -> tuple[bool, str] | None:
    dropped_on = history.get_drop_day(record)
    if dropped_on is None or day < dropped_on:
        return None
    return True, f"missing from the full set of {dropped_on}, without a published termination"


def _describe_maturity(record: ListingRecord, day: dt.date) -> str:
    """Return why a listing is still reportable after its maturity or expiry; "" before it."""
    for word, published in (("expired", record.expiry_date), ("matured", record.maturity_date)):
        date = get_end(published)
        if date is not None and date < day:
            published_on = record.source_file.published_on
            text = f"{word} {date}: still reportable, because the register has not terminated it"
            if published_on <= date:
                text += f" (newest record known: {published_on})"
            return text
    return ""
