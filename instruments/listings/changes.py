"""The changes feed: each listing at the place where it was last written.

For clients that mirror the listings. Each listing is in the feed once, at its last change; when it
changes again, it moves to the end. One that no file publishes any more stays there as withdrawn. A client
that reads from the beginning, or on from a cursor, keeps the last item for each listing, and deletes those
that are withdrawn, ends with the content of the tables. The order is that in which this database learned of
the changes: a file that is loaded late comes after what was known before.
"""

import dataclasses
import datetime as dt
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Value
from django.utils.dateparse import parse_date, parse_datetime

from instruments.listings.corrections import describe_in_use, read_in_use
from instruments.listings.descriptions import RECORD_COLUMNS, describe_row
from instruments.models import (
    ChangeSet,
    Correction,
    Listing,
    ListingVersion,
    Status,
    WithdrawnListing,
)
from marketdata.common.errors import InvalidQuery
from marketdata.common.plain import to_plain

DEFAULT_LIMIT, MAX_LIMIT = 100, 1_000
MAX_RECORDS = 250  # changes of a page with their records
_CURSOR = re.compile(r"([0-9a-f]{1,16})\.([0-9]{1,18})\.([0-9]{1,19})")
_LAST = 2**63 - 1  # a place after every listing of a change set
_ENDED = {Status.TERMINATED.value: "ended"}
WITHDRAWN = "withdrawn"
# Kinds of changes. A status that is not listed here is its own kind.
KINDS = (
    "new",
    "changed",
    "corrected",
    "ended",
    *(s.value for s in Status if s.value not in ("active", *_ENDED)),
    WITHDRAWN,
)
_SHORT = ("isin", "mic", "register", "status", "valid_from", "source_position")
_JOINED = ("source_file__name", "change__made_at", "change__is_correction")


@dataclasses.dataclass(frozen=True)
class Cursor:
    """A place in the feed of this database: after one listing of one change set."""

    database: str
    number: int
    listing: int

    def __str__(self) -> str:
        return f"{self.database}.{self.number}.{self.listing}"


@dataclasses.dataclass(frozen=True)
class Page:
    """Changes as dictionaries of plain values, the cursor after them, and whether there are more now."""

    changes: list[dict[str, Any]]
    cursor: Cursor
    has_more: bool


def get_first_cursor() -> Cursor:
    return Cursor(_get_database_id(), ChangeSet.FIRST, 0)


def get_last_cursor() -> Cursor:
    """Return the place after everything that is in the tables now."""
    newest = ChangeSet.objects.last()
    return Cursor(_get_database_id(), newest.number if newest else ChangeSet.FIRST, _LAST)


def parse_cursor(text: str) -> Cursor:
    """Return the place that a cursor or a time stands for. Raises InvalidQuery.

    A date or date-time stands for the place before the first change at that time or later.
    """
    if match := _CURSOR.fullmatch(text):
        return _check(Cursor(match[1], int(match[2]), int(match[3])))
    moment = _parse_time(text)
    first = ChangeSet.objects.filter(made_at__gte=moment).first()
    return Cursor(_get_database_id(), first.number, 0) if first else get_last_cursor()


def _check(cursor: Cursor) -> Cursor:
    last = get_last_cursor()
    if cursor.database != last.database:
        raise InvalidQuery(
            "since",
            "This cursor is from another database, or from before this one was created again."
            " Start without a cursor.",
        )
    if cursor.number > last.number or cursor.listing > _LAST:
        raise InvalidQuery(
            "since",
            "This cursor is ahead of the database, which was restored to an earlier state. Start"
            " without a cursor.",
        )
    return cursor


def _parse_time(text: str) -> dt.datetime:
    """Return a time, in UTC if it has no zone. Raises InvalidQuery."""
    try:
        day = parse_date(text)
        moment = dt.datetime.combine(day, dt.time.min) if day else parse_datetime(text)
        if moment is not None:
            return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidQuery(
        "since", f"{text!r} is neither a cursor of this feed nor a time, as 2026-11-22T06:00:00Z."
    )


def _get_database_id() -> str:
    """Return a text that tells this database from all others: the time when it was created."""
    first = ChangeSet.objects.filter(number=ChangeSet.FIRST).first()
    return f"{int(first.made_at.timestamp() * 1_000_000):x}" if first else "0"


def read_page(since: str | None, limit: int, *, with_record: bool) -> Page:
    """Return the next changes after a cursor, or from the beginning. Raises InvalidQuery.

    `with_record` adds every published field of the listing.
    """
    cursor = get_first_cursor() if since is None else parse_cursor(since)
    places = read_places((cursor.number, cursor.listing), limit + 1)
    has_more = len(places) > limit
    del places[limit:]
    rows = {row["pk"]: row for row in _get_values(places, with_record=with_record)}
    rows |= {row["pk"]: row for row in _get_withdrawn(places)}
    corrections = read_in_use({row["isin"] for row in rows.values()})
    changes = [
        _describe_change(rows[place.key], cursor.database, corrections, with_record=with_record)
        for place in places
        # A listing that has just been written again is further on in the feed.
        if place.key in rows and rows[place.key]["change"] == place.change
    ]
    if places:
        cursor = Cursor(cursor.database, places[-1].change, places[-1].key)
    return Page(changes, cursor, has_more)


def read_all(
    since: str | None = None, *, limit: int | None = None, with_record: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield changes to the end of the feed, at most `limit`. Raises InvalidQuery."""
    while limit is None or limit > 0:
        size = MAX_LIMIT if limit is None else min(limit, MAX_LIMIT)
        page = read_page(since, size, with_record=with_record)
        yield from page.changes
        if not page.has_more:
            return
        since = str(page.cursor)
        limit = None if limit is None else limit - len(page.changes)


class Place(NamedTuple):
    """The place of a listing; `key` is that of its row, or of the row that was deleted."""

    change: int
    key: int
    is_withdrawn: bool


def read_places(after: tuple[int, int], limit: int, *, isins: Collection[str] = ()) -> list[Place]:
    """Return the next places after a change set and key, those of withdrawn listings too; of ISINs if given.

    At most three queries, which read indexes on `change` alone unless there are ISINs. Two of listings,
    because one condition for the rest of a change set and those after it would not be a range of the index;
    of withdrawn ones there are few. Without other tables, because a database may begin with these, and sort
    all listings of a change set. The order is by the column `change_id`: `change` would be the order of the
    change sets.
    """
    number, key = after
    places: list[Place] = []
    among = {"isin__in": isins} if isins else {}
    rest_of_set = Listing.objects.filter(change=number, pk__gt=key, **among)
    for listings in (rest_of_set, Listing.objects.filter(change__gt=number, **among)):
        if len(places) < limit:
            ordered = listings.order_by("change_id", "pk").values_list("change_id", "pk")
            places += [Place(*place, False) for place in ordered[: limit - len(places)]]
    withdrawn = WithdrawnListing.objects.filter(change__gte=number, **among)
    withdrawn = withdrawn.exclude(change=number, pk__lte=key)
    in_order = withdrawn.order_by("change_id", "pk").values_list("change_id", "pk")
    places += [Place(*place, True) for place in in_order[:limit]]
    return sorted(places)[:limit]


def _get_values(places: list[Place], *, with_record: bool) -> Any:
    """Return a query of the values of the listings at these places."""
    key = {name: OuterRef(name) for name in ("isin", "mic", "register")}
    columns = (*RECORD_COLUMNS, "dropped_by__name") if with_record else _SHORT
    return (
        Listing.objects.filter(pk__in=[place.key for place in places if not place.is_withdrawn])
        .order_by()
        .annotate(
            has_versions=Exists(ListingVersion.objects.filter(**key)), is_withdrawn=Value(False)
        )
        .values("pk", "change", "has_versions", "is_withdrawn", *columns, *_JOINED)
    )


def _get_withdrawn(places: list[Place]) -> Any:
    """Return the values of the withdrawn listings at these places; no query if there are none."""
    keys = [place.key for place in places if place.is_withdrawn]
    if not keys:
        return ()
    rows = WithdrawnListing.objects.filter(pk__in=keys).order_by()
    return rows.annotate(is_withdrawn=Value(True)).values(
        "pk", "change", "is_withdrawn", *_SHORT, *_JOINED
    )


def _describe_change(
    row: dict[str, Any],
    database: str,
    corrections: dict[str, list[Correction]],
    *,
    with_record: bool,
) -> dict[str, Any]:
    if row["is_withdrawn"]:
        kind, record = WITHDRAWN, None
    else:
        kind = get_kind(
            row["status"],
            has_versions=row["has_versions"],
            is_correction=row["change__is_correction"],
        )
        record = describe_row(row) if with_record else None
    return {
        "cursor": str(Cursor(database, row["change"], row["pk"])),
        "kind": kind,
        "learned_at": to_plain(row["change__made_at"]),
        **{name: to_plain(row[name]) for name in _SHORT[:-1]},
        "source_file": row["source_file__name"],
        "source_position": row["source_position"],
        "corrections": [
            describe_in_use(correction)
            for correction in corrections.get(row["isin"], ())
            if correction.register == row["register"] and correction.mic in ("", row["mic"])
        ],
        "record": record,
    }


def get_kind(status: str, *, has_versions: bool, is_correction: bool = False) -> str:
    """Return one of KINDS. A listing without an earlier record is new.

    `is_correction` tells that the last change applied or lifted a correction, with the record as it was.
    """
    if is_correction:
        return "corrected"
    if status != Status.ACTIVE:
        return _ENDED.get(status, status)
    return "changed" if has_versions else "new"
