"""What has changed since: every listing at the place where it was last written.

For clients who mirror the listings. Each listing is in the feed once, where it last changed; one that
changes again moves to the end. So who walks from the beginning, or on from a cursor, and keeps what
comes last for each listing, ends with what is in the tables. The order is that in which this database
learned of things: files that come late are behind what was known before.
"""

import dataclasses
import datetime as dt
import re

from django.db.models import Exists, OuterRef
from django.utils.dateparse import parse_date, parse_datetime

from instruments.models import ChangeSet, Listing, ListingQuerySet, ListingVersion, Status

_CURSOR = re.compile(r"([0-9a-f]{1,16})\.([0-9]{1,18})\.([0-9]{1,19})")
_LAST = 2**63 - 1  # behind every listing of a change set
_ENDED = {Status.TERMINATED.value: "ended"}
# What an item says; a status that is not listed here says it by itself.
KINDS = (
    "new",
    "changed",
    "ended",
    *(s.value for s in Status if s.value not in ("active", *_ENDED)),
)
_SHORT = (
    *("isin", "mic", "register", "status", "valid_from", "source_position"),
    *("source_file__name", "change__made_at"),
)


class BadCursor(ValueError):
    """No place in this feed; `str()` says why."""


@dataclasses.dataclass(frozen=True)
class Cursor:
    """A place in the feed: behind one listing of one change set. Of this database only."""

    database: str
    number: int
    listing: int

    def __str__(self) -> str:
        return f"{self.database}.{self.number}.{self.listing}"


def beginning() -> Cursor:
    return Cursor(_database(), ChangeSet.FIRST, 0)


def latest() -> Cursor:
    """Behind all that is in the tables now."""
    newest = ChangeSet.objects.last()
    return Cursor(_database(), newest.number if newest else ChangeSet.FIRST, _LAST)


def since(text: str) -> Cursor:
    """The place that a cursor, a date or a date-time means; before the first change at that time or
    after it. Raises BadCursor.
    """
    if match := _CURSOR.fullmatch(text):
        return _checked(Cursor(match[1], int(match[2]), int(match[3])))
    moment = _moment(text)
    first = ChangeSet.objects.filter(made_at__gte=moment).first()
    return Cursor(_database(), first.number, 0) if first else latest()


def _checked(cursor: Cursor) -> Cursor:
    now = latest()
    if cursor.database != now.database:
        raise BadCursor(
            "this cursor is of another database, or of this one before it was made anew"
        )
    if cursor.number > now.number or cursor.listing > _LAST:
        raise BadCursor(
            "this cursor is ahead of the database: it has been put back to an older state"
        )
    return cursor


def _moment(text: str) -> dt.datetime:
    """UTC where no zone is given."""
    try:
        day = parse_date(text)
        moment = dt.datetime.combine(day, dt.time.min) if day else parse_datetime(text)
        if moment is not None:
            return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError):
        pass
    raise BadCursor("neither a cursor of this feed nor a time, as 2026-11-22T06:00:00Z")


def _database() -> str:
    """What tells this database from others."""
    first = ChangeSet.objects.filter(number=ChangeSet.FIRST).first()
    return f"{int(first.made_at.timestamp() * 1_000_000):x}" if first else "0"


def after(cursor: Cursor, limit: int, *, whole: bool = False) -> list[Listing]:
    """The next `limit` listings with their change set and source file; `whole` with all columns.

    Two queries at most: one condition for both would be no range of the index.
    """
    found: list[Listing] = []
    of_set = Listing.objects.filter(change=cursor.number, pk__gt=cursor.listing)
    for part in (of_set, Listing.objects.filter(change__gt=cursor.number)):
        if len(found) < limit:
            found += _described(part, whole=whole)[: limit - len(found)]
    return found


def _described(listings: ListingQuerySet, *, whole: bool) -> ListingQuerySet:
    of_listing = {name: OuterRef(name) for name in ("isin", "mic", "register")}
    described = (
        listings.select_related("source_file", "change", *(["dropped_by"] if whole else []))
        .annotate(has_versions=Exists(ListingVersion.objects.filter(**of_listing)))
        .order_by("change", "pk")
    )
    return described if whole else described.only(*_SHORT)


def cursor_of(listing: Listing, database: str) -> Cursor:
    """The place behind a listing."""
    return Cursor(database, listing.change.number, listing.pk)


def what(listing: Listing) -> str:
    """One of KINDS. `new` where nothing else has been said of the listing so far."""
    if listing.status != Status.ACTIVE:
        return _ENDED.get(listing.status, listing.status)
    return "changed" if listing.has_versions else "new"  # type: ignore[attr-defined]
