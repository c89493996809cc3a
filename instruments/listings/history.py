"""Versions of listings: as of a day, as known on a day, and the whole history.

A listing has a timeline: its distinct records in publication order. The newest is a row of `Listing`,
the others are rows of `ListingVersion` (written by instruments/listings/load/merge.py). There are three
clocks, never mixed:

* known on K: only what was published by the end of day K; later files do not exist yet.
* as of D: the register on day D. Among the records known, the one published last prevails; a
  termination ends its listing, and so does a full set that lacks it, until a later publication has it again;
  what a cancellation cancelled was never valid.
* traded on T: by the dates in the records; see `instruments.listings.reportability`.
"""

import dataclasses
import datetime as dt
import enum
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.db.models import Q

from esma_files.kinds import Content
from esma_files.models import EsmaFile
from instruments.listings.drops import find_drops_on, get_key
from instruments.listings.fields import RecordKind
from instruments.listings.terms import get_beginning, get_end
from instruments.models import (
    Instrument,
    Listing,
    ListingRecord,
    ListingVersion,
    Register,
    Status,
    Venue,
    WithdrawnRecord,
)
from instruments.served_values import serve_venue
from marketdata.common.errors import NotInDatabase

Timeline = list[ListingRecord]

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


def read_timelines(
    isin: str, *, known_on: dt.date | None = None, register: str = ""
) -> list[Timeline]:
    """Return the timeline of each listing, ordered by venue and register. See `read_timelines_of`."""
    timelines = read_timelines_of([isin], known_on=known_on, register=register)
    return timelines.get(isin, [])


def read_timelines_of(
    isins: Collection[str],
    *,
    known_on: dt.date | None = None,
    register: str = "",
    columns: Collection[str] = (),
) -> dict[str, list[Timeline]]:
    """Return the timelines of several instruments by ISIN, as `read_timelines`.

    Three queries; with `known_on` one more, and those of `find_drops_on`: the newest record known of a
    listing is dropped if the full sets known by then lacked it. With `columns`, only these columns of the
    records are read: much faster, if they are all that is used.
    """
    records: list[ListingRecord] = []
    for model, files in (
        (Listing, ("source_file", "dropped_by")),
        (ListingVersion, ("source_file",)),
    ):
        rows = model.objects.filter(isin__in=isins).select_related(*files).order_by()
        if columns:
            rows = rows.only(*columns, *files)
        if register:
            rows = rows.filter(register=register)
        if known_on is not None:
            rows = rows.filter(_is_known(known_on))
        records += rows
    if known_on is not None:
        published = set(map(_get_content, records))
        withdrawn = _read_withdrawn(isins, known_on, register)
        # Another file may have published the same record.
        records += [record for record in withdrawn if _get_content(record) not in published]
    mics = {record.mic for record in records}
    names = dict(Venue.objects.filter(pk__in=mics).order_by().values_list("mic", serve_venue()))
    for record in records:
        record.venue_name = names.get(record.mic)  # type: ignore[attr-defined]
    records.sort(key=lambda r: (*get_key(r), r.source_file.sequence, r.source_position))
    timelines: dict[str, list[Timeline]] = {}
    for (isin, *_), group in itertools.groupby(records, key=get_key):
        timelines.setdefault(isin, []).append(_in_merge_order(group))
    if known_on is not None:
        _set_drops_known_on(known_on, list(itertools.chain.from_iterable(timelines.values())))
    return timelines


def _get_content(record: ListingRecord) -> tuple[object, ...]:
    """Return what two records of a listing with the same content have in common."""
    status = Status.ACTIVE if record.status == Status.DROPPED else Status(record.status)
    return (*get_key(record), status, record.valid_from, record.fingerprint)


def _read_withdrawn(
    isins: Collection[str], known_on: dt.date, register: str
) -> Iterable[WithdrawnRecord]:
    """Return the records that had been published by a day, and were withdrawn after it."""
    rows = WithdrawnRecord.objects.filter(
        _is_known(known_on), isin__in=isins, withdrawn_on__gt=known_on
    )
    if register:
        rows = rows.filter(register=register)
    return rows.select_related("source_file").order_by()


def _set_drops_known_on(known_on: dt.date, timelines: Iterable[Timeline]) -> None:
    """Give the newest record known of each listing the status that it had by the full sets known on a day.

    A full set published later may have dropped it, or listed it again.
    """
    newest = [timeline[-1] for timeline in timelines]
    newest = [record for record in newest if record.status in (Status.ACTIVE, Status.DROPPED)]
    drops = find_drops_on(known_on, newest)
    for record, dropped_by in zip(newest, drops, strict=True):
        _set_status(record, Status.DROPPED if dropped_by else Status.ACTIVE, dropped_by)


def _is_known(day: dt.date) -> Q:
    """Match records published by the end of a day; those of a republished file, by its creation."""
    return Q(known_from__lte=day) | Q(known_from=None, source_file__published_on__lte=day)


def _in_merge_order(records: Iterable[ListingRecord]) -> Timeline:
    """Return the records of a listing in the order of the merge.

    That is the order of publication, except that a record repeated by a list of cancelled records
    (FULCAN) comes before the cancellation that it repeats.
    """
    timeline: Timeline = []
    for record in records:
        position = len(timeline)
        if _is_from_cancellation_list(record):
            cancelled = [n for n, r in enumerate(timeline) if r.status == Status.CANCELLED]
            published_once = [n for n in cancelled if not _is_from_cancellation_list(timeline[n])]
            position = max(published_once or cancelled, default=position)
        timeline.insert(position, record)
    return timeline


def _is_from_cancellation_list(record: ListingRecord) -> bool:
    return record.source_file.file_kind.content is Content.CANCELLED


def _set_status(record: ListingRecord, status: Status, dropped_by: EsmaFile | None = None) -> None:
    """Give a record that is not saved the status that it had on an earlier day."""
    record.status = status
    if isinstance(record, Listing) or dropped_by:
        record.dropped_by = dropped_by  # type: ignore[attr-defined]


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
        timelines = _leave_out_dropped(timelines, min(as_of, known_on or as_of), as_of)
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


def _leave_out_dropped(
    timelines: list[Timeline], published_by: dt.date, as_of: dt.date
) -> list[Timeline]:
    """Leave out listings that the full sets published by a day lacked, although they were listed again later.

    What a later record says of the day prevails.
    """
    valid = [find_valid(timeline, as_of) for timeline in timelines]
    in_question = {
        number: max(
            (r for r in timeline if r.source_file.published_on <= published_by),
            key=lambda r: r.source_file.sequence,
        )
        for number, (timeline, record) in enumerate(zip(timelines, valid, strict=True))
        if record is not None and record.source_file.published_on <= published_by
    }
    drops = find_drops_on(published_by, in_question.values())
    dropped = {number for number, drop in zip(in_question, drops, strict=True) if drop}
    return [timeline for number, timeline in enumerate(timelines) if number not in dropped]


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
        _set_status(record, Status.ACTIVE)  # It was in the register: it ended or was dropped later.
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
