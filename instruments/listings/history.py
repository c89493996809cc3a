"""What was said of an instrument, and when: its versions, as of a day, as known on a day.

Of each listing there is the sequence of its distinct records in publication order: the last one is
`Listing`, each other one a `ListingVersion` (instruments/listings/load/merge.py). Four questions to it:

* known on K: what had been published by the end of that day; later files do not exist yet.
* as of D: which record was valid on D. Among those known, the one published last prevails; a
  termination ends its listing, a full set that lacks it too; what a cancellation has cancelled was
  never valid.
* reportable on T: which of those valid on T were traded then, by the dates in them.
* history: all of it, each record with what it changed in the one before.
"""

import dataclasses
import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from esma_files.kinds import Content
from esma_files.models import EsmaFile
from instruments.models import (
    Instrument,
    Listing,
    ListingRecord,
    ListingVersion,
    Register,
    Status,
    Venue,
)

_TEXTS = ("full_name", "short_name", "cfi_code", "notional_currency", "issuer_lei")
# Where a record was read, and what any two files say differently of the same record, is no change.
_NO_CHANGE = {
    *("isin", "mic", "register", "valid_from", "record_kind", "technical_record_id"),
    *("source_file", "source_position", "fingerprint"),
}
_COMPARED = tuple(f.name for f in ListingRecord._meta.fields if f.name not in _NO_CHANGE)
_STATUS_ORDER = [Status.ACTIVE, Status.DROPPED, Status.TERMINATED, Status.CANCELLED]


@dataclasses.dataclass(frozen=True)
class Version:
    """One record of a listing; valid from `record.valid_from` to `valid_to`, None where that is open.

    `valid_to` lies before `valid_from` where a later record replaced it from the start. `changes` has
    (old, new) by column, for the columns that differ from the record before.
    """

    record: ListingRecord
    valid_to: dt.date | None
    changes: dict[str, tuple[Any, Any]]


def timelines(
    isin: str, *, known_on: dt.date | None = None, register: str = ""
) -> list[list[ListingRecord]]:
    """Of each listing its records in publication order; by venue and register. Three queries."""
    records: list[ListingRecord] = []
    for model, files in (
        (Listing, ("source_file", "dropped_by")),
        (ListingVersion, ("source_file",)),
    ):
        found = model.objects.filter(isin=isin).select_related(*files).order_by()
        if register:
            found = found.filter(register=register)
        if known_on is not None:
            found = found.filter(source_file__published_on__lte=known_on)
        records += found
    for record in records:
        if known_on is not None and (dropped_on := _dropped_on(record)) and dropped_on > known_on:
            record.status, record.dropped_by = Status.ACTIVE, None  # type: ignore[attr-defined]
    venues = {record.mic for record in records}
    names = dict(Venue.objects.filter(pk__in=venues).order_by().values_list("mic", "name"))
    for record in records:
        record.venue_name = names.get(record.mic)  # type: ignore[attr-defined]
    records.sort(key=lambda r: (*_listing(r), r.source_file.sequence, r.source_position))
    return [_placed(of) for _, of in itertools.groupby(records, key=_listing)]


def _placed(published: Iterable[ListingRecord]) -> list[ListingRecord]:
    """In the order of the merge: what a list of cancellations repeats, before what it repeats."""
    placed: list[ListingRecord] = []
    for record in published:
        place = len(placed)
        if _is_listed(record):
            cancelled = [n for n, r in enumerate(placed) if r.status == Status.CANCELLED]
            said_once = [n for n in cancelled if not _is_listed(placed[n])]
            place = max(said_once or cancelled, default=place)
        placed.insert(place, record)
    return placed


def _is_listed(record: ListingRecord) -> bool:
    return record.source_file.file_kind.content is Content.CANCELLED


def _listing(record: ListingRecord) -> tuple[str, str]:
    return record.mic, record.register


def valid_on(timeline: list[ListingRecord], day: dt.date) -> ListingRecord | None:
    """The record that was valid on `day`, by what the whole timeline knows."""
    following: ListingRecord | None = None
    for record in reversed(timeline):
        if record.status == Status.CANCELLED:
            return None  # and so was everything before it
        ends = _ends(record, following)
        if record.valid_from <= day and (ends is None or day <= ends):
            return record
        following = record
    return None


def _ends(record: ListingRecord, following: ListingRecord | None) -> dt.date | None:
    """The last day that a record is valid; None where that is open.

    A termination without a period tells that a listing has ended, and was never valid itself.
    """
    said = record.published_period_to or record.published_to
    if said is None and record.status == Status.TERMINATED:
        said = record.valid_from - dt.timedelta(days=1)
    if dropped_on := _dropped_on(record):
        said = dropped_on - dt.timedelta(days=1)
    superseded = following.valid_from - dt.timedelta(days=1) if following else None
    return min((day for day in (said, superseded) if day), default=None)


def _dropped_on(record: ListingRecord) -> dt.date | None:
    """The day of the full set that lacks a listing."""
    dropped_by: EsmaFile | None = getattr(record, "dropped_by", None)
    return dropped_by.published_on if dropped_by else None


def snapshot(
    isin: str,
    *,
    as_of: dt.date | None = None,
    known_on: dt.date | None = None,
    register: str = "",
) -> Instrument | None:
    """The instrument with the listings that it had then, not saved; None where it had none.

    Without `as_of` each listing is as last known, whatever its status; with `register` there are
    only those of this one.
    """
    found = timelines(isin, known_on=known_on, register=register)
    chosen = [valid_on(of, as_of) if as_of else of[-1] for of in found]
    listings = [record for record in chosen if record is not None]
    if not listings:
        return None
    speaks = min(listings, key=_authority)
    instrument = Instrument(
        isin=isin,
        status=speaks.status,
        mic=speaks.mic,
        register=speaks.register,
        listing_count=len(listings),
        **_counts(listings),
        **{name: getattr(speaks, name) or "" for name in _TEXTS},
    )
    instrument.__dict__["listings"] = listings  # in place of the cached property: those of then
    return instrument


def _counts(listings: list[ListingRecord]) -> dict[str, int | None]:
    counted = Counter(record.register for record in listings)
    return {register.counted_in: counted[register] or None for register in Register}


def reportable(
    isin: str, *, on: dt.date, known_on: dt.date | None = None, register: str = ""
) -> list[Listing | ListingVersion]:
    """The listings on which it could be traded on a day, by venue: their records were valid then.

    Between the first trade and the termination that they say, both days included; what a record does
    not say does not bound it. Trades in such an instrument are to be reported (MiFIR, article 26).
    """
    found = snapshot(isin, as_of=on, known_on=known_on, register=register)
    return [record for record in found.listings if _is_traded(record, on)] if found else []


def _is_traded(record: ListingRecord, on: dt.date) -> bool:
    began, ended = record.first_trade_at, record.terminated_at
    return (began is None or began.date() <= on) and (ended is None or on <= ended.date())


def _authority(record: ListingRecord) -> tuple[Any, ...]:
    """The order in instruments/listings/load/instruments.py: the first listing speaks for the instrument."""
    traded = record.first_trade_at
    return (
        _STATUS_ORDER.index(Status(record.status)),
        record.mic != record.relevant_venue,
        traded is None,
        traded.timestamp() if traded else 0,
        record.mic,
        record.register,
    )


def versions(isin: str, *, register: str = "") -> Iterator[Version]:
    """Every record of an instrument, listing by listing, the newest first."""
    for timeline in timelines(isin, register=register):
        for place in range(len(timeline) - 1, -1, -1):
            record = timeline[place]
            following = timeline[place + 1] if place + 1 < len(timeline) else None
            before = timeline[place - 1] if place else None
            yield Version(record, _ends(record, following), _changes(before, record))


def _changes(before: ListingRecord | None, after: ListingRecord) -> dict[str, tuple[Any, Any]]:
    if before is None:
        return {}
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in _COMPARED}
    return {name: (old, new) for name, (old, new) in pairs.items() if old != new}
