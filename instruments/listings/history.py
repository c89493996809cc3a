"""Versions of listings: as of a day, as known on a day, and the whole history.

A listing has a timeline: its distinct records in publication order. The newest is a row of `Listing`,
the others are rows of `ListingVersion` (written by instruments/listings/load/merge.py, and read by
`instruments.listings.timelines`). There are three clocks, never mixed:

* known on K: only what was published by the end of day K; later files do not exist yet.
* as of D: the register on day D. Among the records known, the one published last prevails; a
  termination ends its listing, and so does a full set that lacks it, until a later publication has it again;
  what a cancellation cancelled was never valid.
* traded on T: by the dates in the records; see `instruments.listings.reportability`.
"""

import dataclasses
import datetime as dt
import enum
from collections import Counter
from collections.abc import Iterator
from typing import Any

from esma_files.models import EsmaFile
from instruments.listings.drops import find_drops_on, find_sets_without
from instruments.listings.fields import RecordKind
from instruments.listings.terms import get_beginning, get_end
from instruments.listings.timelines import Timeline, get_place, read_timelines, set_status
from instruments.models import Instrument, ListingRecord, Register, Status
from marketdata.common.errors import NotInDatabase

# Columns of Instrument that are copied from its reference listing.
_TEXTS = ("full_name", "short_name", "cfi_code", "notional_currency", "issuer_lei")
# The columns of records that `make_snapshot` reads.
SNAPSHOT_COLUMNS = (*_TEXTS, "status", "mic", "register", "relevant_venue", "first_trade_at")
# Columns that differ between two files with the same record, or that tell where a record was read.
_NOT_COMPARED = {
    *("isin", "mic", "register", "valid_from", "record_kind", "technical_record_id"),
    *("source_file", "source_position", "fingerprint", "known_from"),
}
_COMPARED = tuple(f.name for f in ListingRecord._meta.fields if f.name not in _NOT_COMPARED)
_STATUS_ORDER = [Status.ACTIVE, Status.DROPPED, Status.TERMINATED, Status.CANCELLED]

_CANCELLED = "Cancelled by the register: never valid."


class Basis(enum.StrEnum):
    """The reason why a record was chosen to answer a question."""

    NEWEST_RECORD = "newest_record"
    VALID_ON_DAY = "valid_on_day"
    EARLIEST_KNOWN = "earliest_known"

    @property
    def rule(self) -> str:
        return _RULES[self]


_RULES = {
    Basis.NEWEST_RECORD: "The newest record known of the listing.",
    Basis.VALID_ON_DAY: "The record that was valid on the day, by its publication period"
    " (PblctnPrd) and those of later records.",
    Basis.EARLIEST_KNOWN: "The day is before the first record known of the listing. The values are"
    " those of that first record; those that applied on the day are not known.",
}


@dataclasses.dataclass(frozen=True)
class Validity:
    """The days on which the register contained a record, from `record.valid_from` on.

    `until` is the first day on which it no longer did; None while it is open-ended. A record that was
    replaced from its first day, or that only announces a termination, was never valid.
    """

    valid_from: dt.date
    until: dt.date | None
    rule: str

    @property
    def was_valid(self) -> bool:
        return self.until is None or self.until > self.valid_from

    @property
    def valid_to(self) -> dt.date | None:
        """The last day; None if it is open-ended or the record was never valid."""
        if self.until is None or not self.was_valid:
            return None
        return self.until - dt.timedelta(days=1)

    def contains(self, day: dt.date) -> bool:
        return self.valid_from <= day and (self.until is None or day < self.until)


@dataclasses.dataclass(frozen=True)
class Version:
    """A record of a listing. `changes` has (old, new) by column, compared with the record before."""

    record: ListingRecord
    validity: Validity
    changes: dict[str, tuple[Any, Any]]


def get_drop_day(record: ListingRecord) -> dt.date | None:
    """Return the day of the full set that lacks a listing; None if none does."""
    dropped_by: EsmaFile | None = getattr(record, "dropped_by", None)
    return dropped_by.published_on if dropped_by else None


def get_validity(record: ListingRecord, following: ListingRecord | None) -> Validity:
    """Return the days on which a record was valid; `following` is the next record of its timeline.

    A termination without the end of a publication period ends the listing and was never valid itself.
    """
    ends: list[tuple[dt.date, str]] = []
    published_to = get_end(record.published_period_to or record.published_to)
    if published_to is not None:
        day_after = published_to + dt.timedelta(days=1)
        ends.append((day_after, f"The publication period ends on {published_to}."))
    elif record.status == Status.TERMINATED:
        text = "Terminated, without the end of a publication period."
        ends.append((record.valid_from, text))
    if dropped_on := get_drop_day(record):
        ends.append((dropped_on, f"The full set of {dropped_on} lacks the listing."))
    if following is not None:
        text = f"Replaced by the record valid from {following.valid_from}."
        ends.append((following.valid_from, text))
    if not ends:
        return Validity(record.valid_from, None, "The newest record; no end is published.")
    until, rule = min(ends, key=lambda end: end[0])
    return Validity(record.valid_from, until, rule)


def find_valid(timeline: Timeline, day: dt.date) -> ListingRecord | None:
    """Return the record of a timeline that was valid on a day; None if there was none."""
    following: ListingRecord | None = None
    for record in reversed(timeline):
        if record.status == Status.CANCELLED:
            return None  # Everything before a cancellation was never valid.
        if get_validity(record, following).contains(day):
            return record
        following = record
    return None


def find_earliest(timeline: Timeline, day: dt.date) -> ListingRecord | None:
    """Return the first record of a timeline if it may describe a day before it; else None.

    It may unless the register published it as a new record or cancelled it later, or the listing had
    not begun or had ended on that day, by the dates in the record.
    """
    first = timeline[0]
    if day >= first.valid_from or first.record_kind == RecordKind.NEW:
        return None
    if any(record.status == Status.CANCELLED for record in timeline):
        return None
    began, ended = get_first_day(first), get_end(first.terminated_at)
    if (began is not None and day < began) or (ended is not None and ended < day):
        return None
    return first


def get_first_day(record: ListingRecord) -> dt.date | None:
    """Return the first trade, or an earlier request or approval for admission; None if none is published."""
    dates = (
        record.first_trade_at,
        record.admission_requested_at,
        record.admission_approved_at,
    )
    return min((begin for date in dates if (begin := get_beginning(date))), default=None)


def get_snapshot(
    isin: str,
    *,
    as_of: dt.date | None = None,
    known_on: dt.date | None = None,
    register: str = "",
) -> Instrument | None:
    """Return the instrument, unsaved, with the listings that it had on a day; None if it had none.

    Without `as_of`, each listing is as last known, whatever its status. With `register`, only its
    listings count. Each listing has the attribute `basis`, and the status that held on the day.
    """
    timelines = read_timelines(isin, known_on=known_on, register=register)
    if as_of is not None:
        timelines = _leave_out_absent(timelines, as_of, known_on)
    chosen = [_choose(timeline, as_of) for timeline in timelines]
    listings = [record for record in chosen if record is not None]
    return make_snapshot(isin, listings) if listings else None


def make_snapshot(isin: str, listings: list[ListingRecord]) -> Instrument:
    """Return an instrument, unsaved, with these listings, of which there is at least one."""
    reference = min(listings, key=_get_rank)
    instrument = Instrument(
        isin=isin,
        status=reference.status,
        mic=reference.mic,
        register=reference.register,
        listing_count=len(listings),
        **_count_by_register(listings),
        **{name: getattr(reference, name) or "" for name in _TEXTS},
    )
    instrument.__dict__["listings"] = listings  # instead of reading the current ones
    return instrument


def _leave_out_absent(
    timelines: list[Timeline], as_of: dt.date, known_on: dt.date | None
) -> list[Timeline]:
    """Leave out listings that full sets lacked on a day, although a later publication has them.

    What a later record says of the day prevails. A listing of which nothing had been published by the day was
    not in the register either, if the newest set of its category lacks it.
    """
    published_by = min(as_of, known_on or as_of)
    published: dict[int, ListingRecord] = {}
    unpublished: dict[int, ListingRecord] = {}
    for number, timeline in enumerate(timelines):
        valid = find_valid(timeline, as_of)
        record = valid or find_earliest(timeline, as_of)
        if record is None:
            continue
        if record.source_file.published_on <= published_by:
            earlier = (r for r in timeline if r.source_file.published_on <= published_by)
            published[number] = max(earlier, key=get_place)
        elif valid is None:
            unpublished[number] = record
    absent = set()
    for records, find in ((published, find_drops_on), (unpublished, find_sets_without)):
        full_sets = find(published_by, list(records.values()), known_on=known_on)
        absent |= {number for number, lacks in zip(records, full_sets, strict=True) if lacks}
    return [timeline for number, timeline in enumerate(timelines) if number not in absent]


def require_snapshot(
    isin: str,
    *,
    as_of: dt.date | None = None,
    known_on: dt.date | None = None,
    register: str = "",
) -> Instrument:
    """Return the snapshot of an instrument. Raises NotInDatabase if it had no listing."""
    snapshot = get_snapshot(isin, as_of=as_of, known_on=known_on, register=register)
    if snapshot is None:
        raise NotInDatabase(_describe_absence(isin, as_of, known_on, register))
    return snapshot


def _describe_absence(
    isin: str, as_of: dt.date | None, known_on: dt.date | None, register: str
) -> str:
    where = f" in the register of the {register}" if register else ""
    if as_of is None and known_on is None:
        return f"{isin} has no listing{where}."
    known = f" among the records published by {known_on}" if known_on else ""
    if as_of is None:
        return f"{isin} has no record{where}{known}."
    return f"{isin} had no listing{where} that was valid on {as_of}{known}."


def _choose(timeline: Timeline, as_of: dt.date | None) -> ListingRecord | None:
    """Return the record that answers for a listing, with its `basis`."""
    if as_of is None:
        record, basis = timeline[-1], Basis.NEWEST_RECORD
    elif valid := find_valid(timeline, as_of):
        record, basis = valid, Basis.VALID_ON_DAY
    elif earliest := find_earliest(timeline, as_of):
        record, basis = earliest, Basis.EARLIEST_KNOWN
    else:
        return None
    if as_of is not None:
        set_status(record, Status.ACTIVE)  # It was in the register: it ended or was dropped later.
    record.basis = basis  # type: ignore[attr-defined]
    return record


def get_basis(record: ListingRecord) -> Basis:
    """Return why a record was chosen; rows that were read without a question are the newest."""
    return getattr(record, "basis", Basis.NEWEST_RECORD)


def _count_by_register(listings: list[ListingRecord]) -> dict[str, int | None]:
    counts = Counter(record.register for record in listings)
    return {register.counted_in: counts[register] or None for register in Register}


def _get_rank(record: ListingRecord) -> tuple[Any, ...]:
    """The order of instruments/listings/load/instruments.py: the first is the reference listing."""
    first_trade = record.first_trade_at
    return (
        _STATUS_ORDER.index(Status(record.status)),
        record.mic != record.relevant_venue,
        first_trade is None,
        first_trade.timestamp() if first_trade else 0,
        record.mic,
        record.register,
    )


def read_versions(isin: str, *, register: str = "") -> Iterator[Version]:
    """Yield every record of an instrument, listing by listing, the newest first. Three queries."""
    for timeline in read_timelines(isin, register=register):
        following, is_cancelled = None, False
        for previous, record in zip([*timeline[-2::-1], None], reversed(timeline), strict=True):
            is_cancelled = is_cancelled or record.status == Status.CANCELLED
            if is_cancelled:
                validity = Validity(record.valid_from, record.valid_from, _CANCELLED)
            else:
                validity = get_validity(record, following)
            yield Version(record, validity, get_changes(previous, record))
            following = record


def get_changes(
    previous: ListingRecord | None, record: ListingRecord
) -> dict[str, tuple[Any, Any]]:
    """Return (old, new) of each published value that differs between two records of a listing."""
    if previous is None:
        return {}
    pairs = {name: (getattr(previous, name), getattr(record, name)) for name in _COMPARED}
    return {name: (old, new) for name, (old, new) in pairs.items() if old != new}
