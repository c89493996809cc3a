"""Listings that full sets had dropped on an earlier day, whatever came later.

The listing itself has the set that it is dropped by now (`dropped_by`). This is for questions about a day.
"""

import datetime as dt
import functools
import itertools
from collections.abc import Collection, Iterable

from pyroaring import BitMap64

from esma_files.models import EsmaFile
from instruments import data_versions
from instruments.data_versions import DataSubject
from instruments.listings.publications import (
    find_drops,
    listings_of,
    place_of,
    read_publications,
)
from instruments.models import HeldListings, Listing, ListingRecord, Status

# The full sets before a day that a question looks at: a year of weekly ones.
_MOST_SETS = 53
# Bitmaps of full files that a process keeps for questions, each of half a million keys in at most 1 MB.
_MOST_BITMAPS = 32
_BEFORE_ALL = -1  # a place before all publications


def get_key(record: ListingRecord) -> tuple[str, str, str]:
    """Return what the records of a listing have in common: ISIN, MIC and register."""
    return record.isin, record.mic, record.register


def find_drops_on(
    day: dt.date, records: Collection[ListingRecord], *, known_on: dt.date | None = None
) -> list[EsmaFile | None]:
    """Return for each record the full set that had dropped its listing by the end of a day, None if none had.

    The records are the newest of their listings by that day. A listing that the sets of a whole year lack
    counts as dropped by the first of these. With `known_on`, republished sets are as they were known on that
    day. One query for each register and category (with `known_on` two), and one for each bitmap that this
    process has not read since the listings were last changed.
    """
    may_be_dropped = (Status.ACTIVE, Status.DROPPED)
    places = [
        place_of(record.source_file) if record.status in may_be_dropped else None
        for record in records
    ]
    return _find(day, records, places, known_on)


def find_sets_without(
    day: dt.date, records: Collection[ListingRecord], *, known_on: dt.date | None = None
) -> list[EsmaFile | None]:
    """Return the same for listings of which nothing had been published by the day.

    They were not in the register if the newest set of their category lacks them.
    """
    return _find(day, records, [_BEFORE_ALL] * len(records), known_on)


def _find(
    day: dt.date,
    records: Collection[ListingRecord],
    record_places: Iterable[int | None],
    known_on: dt.date | None,
) -> list[EsmaFile | None]:
    """Return what `find_drops_on` does, for listings last published at these places; None for the others."""
    keys = _read_keys(records)
    places: dict[tuple[str, str], dict[int, int]] = {}
    for record, place in zip(records, record_places, strict=True):
        key = keys.get(get_key(record))
        if key and record.cfi_code and place is not None:
            of_category = places.setdefault((record.register, record.cfi_code[0]), {})
            of_category[key] = place
    version, _ = data_versions.read([DataSubject.LISTINGS])
    drops: dict[int, EsmaFile] = {}
    for (register, category), of_listings in places.items():
        publications = read_publications(register, category, until=day, known_on=known_on)
        drops |= find_drops(
            itertools.islice(publications, _MOST_SETS),
            of_listings,
            lambda full_file: _read_listings(type(full_file), full_file.pk, version),
        )
    return [drops.get(keys.get(get_key(record), 0)) for record in records]


def _read_keys(records: Iterable[ListingRecord]) -> dict[tuple[str, str, str], int]:
    """Return the key of each record's listing. One query, if a record is not the newest of its listing."""
    keys = {get_key(record): record.pk for record in records if isinstance(record, Listing)}
    isins = {record.isin for record in records if get_key(record) not in keys}
    if isins:
        rows = Listing.objects.filter(isin__in=isins).order_by()
        for isin, mic, register, key in rows.values_list("isin", "mic", "register", "pk"):
            keys[isin, mic, register] = key
    return keys


@functools.lru_cache(maxsize=_MOST_BITMAPS)
def _read_listings(model: type[HeldListings], file_id: int, version: str) -> BitMap64:
    """Return the keys of the listings of a full file, as of a version of the data."""
    return listings_of(model._default_manager.only("listings").get(pk=file_id))
