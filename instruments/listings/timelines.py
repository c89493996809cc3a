"""Timelines of listings, read from the tables: all of their records, or those known on a day.

See `instruments.listings.history`, which answers from them.
"""

import datetime as dt
import itertools
from collections.abc import Collection, Iterable

from django.db.models import Q

from esma_files.kinds import Content
from esma_files.models import EsmaFile
from instruments.listings.drops import find_drops_on, get_key
from instruments.models import (
    Listing,
    ListingRecord,
    ListingVersion,
    Status,
    Venue,
    WithdrawnRecord,
)
from instruments.served_values import serve_venue

Timeline = list[ListingRecord]


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
        records = _add_withdrawn(records, _read_withdrawn(isins, known_on, register))
    mics = {record.mic for record in records}
    names = dict(Venue.objects.filter(pk__in=mics).order_by().values_list("mic", serve_venue()))
    for record in records:
        record.venue_name = names.get(record.mic)  # type: ignore[attr-defined]
    records.sort(key=lambda record: (*get_key(record), *get_place(record)))
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


def get_place(record: ListingRecord) -> tuple[int, int]:
    """Return the place of a record in the order of publication."""
    return record.source_file.sequence, record.source_position


def _add_withdrawn(
    records: Iterable[ListingRecord], withdrawn: Iterable[ListingRecord]
) -> list[ListingRecord]:
    """Return records with those that were withdrawn later, each in the file that published it first.

    Several files may have published the same record, and some of them without it later.
    """
    chosen: dict[tuple[object, ...], ListingRecord] = {}
    for record in (*records, *withdrawn):
        content = _get_content(record)
        if content not in chosen or get_place(record) < get_place(chosen[content]):
            chosen[content] = record
    return list(chosen.values())


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
    drops = find_drops_on(known_on, newest, known_on=known_on)
    for record, dropped_by in zip(newest, drops, strict=True):
        set_status(record, Status.DROPPED if dropped_by else Status.ACTIVE, dropped_by)


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


def set_status(record: ListingRecord, status: Status, dropped_by: EsmaFile | None = None) -> None:
    """Give a record that is not saved the status that it had on an earlier day."""
    record.status = status
    if isinstance(record, Listing) or dropped_by:
        record.dropped_by = dropped_by  # type: ignore[attr-defined]
