"""Full sets: which listings their files hold, and which listings they drop.

`instruments.listings.publications` has the rule. `FullFile` keeps the listings of each full file as a bitmap
of their keys.
"""

import itertools
from array import array
from collections.abc import Iterable

from django.db.backends.utils import CursorWrapper
from pyroaring import BitMap64

from esma_files.models import EsmaFile
from esma_files.names import PARTS
from instruments.listings.load import reconciliation, rejected, temporary_tables
from instruments.listings.load.context import FILE, LISTING, REREAD_FROM, MergeContext
from instruments.listings.publications import (
    Publication,
    find_drops,
    listings_of,
    place_of,
    read_publications,
)
from instruments.models import FullFile, Reconciliation, Register, ReplacedFullFile

_PAGE = 10_000  # keys


def note_listings(
    merge: MergeContext, *, differences: reconciliation.Differences, relisted: int
) -> FullFile:
    """Keep the listings that the full file holds, and count them the first time that it is merged.

    `relisted` is the number of listings of the file that had been dropped.
    """
    held = BitMap64()
    for query in (
        f"""SELECT listing_id FROM temp.record_outcome
            WHERE listing_id IS NOT NULL AND position < {REREAD_FROM}""",
        "SELECT listing_id FROM stage.known",
    ):
        merge.cursor.execute(query)
        held |= _fetch_keys(merge.cursor)
    held |= rejected.find_listings(merge)
    _add_new_listings(merge, held)
    if merge.replacement:
        temporary_tables.create(merge.cursor, temporary_tables.HELD_LISTING)
        merge.cursor.executemany(
            "INSERT INTO temp.held_listing VALUES (%s)", [(key,) for key in held]
        )
    full_set = reconciliation.of_file(merge)
    full_file, is_first_time = FullFile.objects.get_or_create(
        file=merge.file, defaults={"reconciliation": full_set, "listings": held.serialize()}
    )
    if is_first_time:
        reconciliation.count(
            merge, full_file, listed=len(held), differences=differences, relisted=relisted
        )
    else:
        full_file.listings = (held | listings_of(full_file)).serialize()
        full_file.save(update_fields=["listings"])
    return full_file


def _add_new_listings(merge: MergeContext, held: BitMap64) -> None:
    """Add the listings that the merge has inserted: up to half a million keys, mostly without a gap."""
    inserted = f"FROM {LISTING} WHERE id > {merge.last_listing_id}"
    merge.cursor.execute(f"SELECT min(id), max(id), count(*) {inserted}")
    first, last, count = merge.cursor.fetchone()
    if count and last - first + 1 == count:
        held.add_range(first, last + 1)
    elif count:
        merge.cursor.execute(f"SELECT id {inserted}")
        held |= _fetch_keys(merge.cursor)


def _fetch_keys(cursor: CursorWrapper) -> BitMap64:
    """Return the keys in the result of a query, which may be millions, without a list of them.

    Django does so much for each row of an iteration that pages are five times as fast.
    """
    keys = array("Q")
    while page := cursor.fetchmany(_PAGE):
        keys.extend(itertools.chain.from_iterable(page))
    return BitMap64(keys)


def withdraw_files(merge: MergeContext, files: list[int]) -> BitMap64:
    """Take older revisions of the file out of their full sets, as if they had never been loaded.

    Listings that they had dropped are active again until the new revision is merged. Returns these.
    """
    temporary_tables.create(merge.cursor, temporary_tables.REOPENED_LISTING)
    withdrawn = FullFile.objects.filter(file__in=files)
    for full_file in withdrawn.select_related("reconciliation", "file"):
        reconciliation.withdraw(full_file)
        merge.execute(
            f"""INSERT INTO temp.reopened_listing (listing_id)
                SELECT id FROM {LISTING} WHERE dropped_by_id = {full_file.pk}""",
            f"""UPDATE {LISTING}
                SET status = 'active', dropped_by_id = NULL, change_id = {merge.change}
                WHERE dropped_by_id = {full_file.pk}""",
        )
        if merge.replacement and merge.replacement.known_from is not None:
            _keep_replaced(full_file.file, listings_of(full_file))
        full_file.delete()
    merge.cursor.execute("SELECT listing_id FROM temp.reopened_listing")
    return _fetch_keys(merge.cursor)


def keep_older_revision(cursor: CursorWrapper, file: EsmaFile) -> None:
    """Keep the listings of a staged older revision of a full file, which is loaded after a newer one."""
    register = Register.of_dataset(file.dataset)
    cursor.execute(f"""
        SELECT l.id FROM (
            SELECT isin, mic FROM stage.record UNION SELECT isin, mic FROM stage.rejected) AS s
        CROSS JOIN {LISTING} l ON l.isin = s.isin AND l.mic = s.mic AND l.register = '{register}'
    """)
    _keep_replaced(file, _fetch_keys(cursor))


def _keep_replaced(file: EsmaFile, listings: BitMap64) -> None:
    defaults = {"listings": listings.serialize()}
    ReplacedFullFile.objects.update_or_create(file=file, defaults=defaults)


def reactivate_relisted(merge: MergeContext) -> int:
    """Make listings active again that an earlier set, or a part of this one, had dropped.

    Returns how many of the file's listings those were.
    """
    end = (place_of(merge.file) + 1) * PARTS
    temporary_tables.create(merge.cursor, temporary_tables.RELISTED_LISTING)
    merge.execute(
        f"""INSERT INTO temp.relisted_listing (listing_id)
            SELECT l.id FROM temp.timeline t CROSS JOIN {LISTING} l ON l.id = t.row_id
            CROSS JOIN {FILE} f ON f.id = l.dropped_by_id
            WHERE t.origin = 'listing' AND l.status = 'dropped' AND f.sequence < {end}""",
        f"""UPDATE {LISTING}
            SET status = 'active', dropped_by_id = NULL, change_id = {merge.change}
            WHERE id IN (SELECT listing_id FROM temp.relisted_listing)""",
        """UPDATE temp.record_outcome SET outcome = 'changed' WHERE outcome = 'unchanged'
            AND listing_id IN (SELECT listing_id FROM temp.relisted_listing)""",
    )
    merge.cursor.execute("SELECT count(*) FROM temp.relisted_listing")
    (count,) = merge.cursor.fetchone()
    temporary_tables.drop(merge.cursor, temporary_tables.RELISTED_LISTING)
    return int(count)


def mark_dropped(merge: MergeContext, full_file: FullFile | None, *, written: str) -> int:
    """Drop the listings that full sets lack, now that the file is merged.

    `written` is a query for ISIN and MIC of the records that may have become the newest of their listing;
    `full_file` the file, where it is one. Returns how many listings its set drops, and leaves the
    listings whose mark has changed in `changed_drop`.
    """
    temporary_tables.create(merge.cursor, temporary_tables.CHANGED_DROP)
    place = place_of(merge.file)
    of_register = FullFile.objects.filter(reconciliation__register=merge.register)
    # What is left of a listing after a republication may be older than any full set.
    if merge.replacement or of_register.filter(file__sequence__gte=(place + 1) * PARTS).exists():
        _mark_listings_of_late_file(merge, written)
    dropped = _mark_listings_of_set(merge, full_file.reconciliation) if full_file else 0
    merge.execute(f"""
        UPDATE {LISTING} SET change_id = {merge.change}
        WHERE id IN (SELECT listing_id FROM temp.changed_drop)
    """)
    return dropped


def _mark_listings_of_late_file(merge: MergeContext, written: str) -> None:
    """Mark the records of a file that came late, where newer full sets lack them."""
    merge.cursor.execute(f"""
        SELECT substr(l.cfi_code, 1, 1), l.id, f.sequence FROM ({written}) k
        CROSS JOIN {LISTING} l
            ON l.isin = k.isin AND l.mic = k.mic AND l.register = '{merge.register}'
        CROSS JOIN {FILE} f ON f.id = l.source_file_id
        WHERE l.status IN ('active', 'dropped') AND l.cfi_code IS NOT NULL
        ORDER BY 1
    """)
    for category, rows in itertools.groupby(merge.cursor.fetchall(), key=lambda row: row[0]):
        places = {listing: sequence // PARTS for _, listing, sequence in rows}
        _mark(merge.cursor, read_publications(merge.register, category), places)


def _mark_listings_of_set(merge: MergeContext, full_set: Reconciliation) -> int:
    """Mark the listings that the set of the file should hold and does not, where it is complete.

    Returns how many those are.
    """
    publications = list(read_publications(merge.register, full_set.category))
    place = place_of(merge.file)
    own = next(publication for publication in publications if publication.place == place)
    if not own.is_complete:
        return 0
    is_newest = not any(other.is_complete and other.place > place for other in publications)
    # A listing that is active beside a newer set is in that set or was published after it.
    in_question = "status = 'active'" if is_newest else "dropped_by_id > 0"
    if merge.replacement:
        in_question = f"({in_question} OR id IN (SELECT listing_id FROM temp.reopened_listing))"
    merge.cursor.execute(f"""
        SELECT id FROM {LISTING} WHERE register = '{merge.register}'
        AND cfi_code >= '{full_set.category}' AND cfi_code < '{chr(ord(full_set.category) + 1)}'
        AND {in_question}
    """)
    listings = _fetch_keys(merge.cursor)
    places = _places_of(merge.cursor, listings - own.listings if is_newest else listings)
    dropped = _mark(merge.cursor, publications, places)
    if full_set.completed_at is None:
        reconciliation.complete(full_set, extra=dropped if is_newest else None)
    return len(dropped) if is_newest else 0


def _places_of(cursor: CursorWrapper, listings: BitMap64) -> dict[int, int]:
    """Return for each listing the place in publication order of the file of its record."""
    temporary_tables.create(cursor, temporary_tables.ASKED_LISTING)
    cursor.executemany("INSERT INTO temp.asked_listing VALUES (%s)", [(key,) for key in listings])
    cursor.execute(f"""
        SELECT l.id, f.sequence FROM {LISTING} l JOIN {FILE} f ON f.id = l.source_file_id
        WHERE l.id IN (SELECT listing_id FROM temp.asked_listing)
    """)
    places = {key: sequence // PARTS for key, sequence in cursor.fetchall()}
    temporary_tables.drop(cursor, temporary_tables.ASKED_LISTING)
    return places


def _mark(
    cursor: CursorWrapper, publications: Iterable[Publication], places: dict[int, int]
) -> BitMap64:
    """Bring the marks of some listings to what the full sets say.

    `places` has the place of the file of each listing's record; `publications` are the newest first.
    Returns the listings that are dropped.
    """
    drops = find_drops(publications, places)
    dropped_by = dict.fromkeys(places, 0) | {key: file.pk for key, file in drops.items()}
    temporary_tables.create(cursor, temporary_tables.DROP_MARK)
    marks = list(dropped_by.items())
    cursor.executemany("INSERT INTO temp.drop_mark VALUES (%s, nullif(%s, 0))", marks)
    cursor.execute(f"""
        INSERT INTO temp.changed_drop SELECT listing_id, file_id FROM temp.drop_mark m
        WHERE file_id IS DISTINCT FROM (
            SELECT dropped_by_id FROM {LISTING} l WHERE l.id = m.listing_id)
    """)
    cursor.execute(f"""
        UPDATE {LISTING} SET
            dropped_by_id = (SELECT file_id FROM temp.changed_drop WHERE listing_id = {LISTING}.id),
            status = (SELECT CASE WHEN file_id IS NULL THEN 'active' ELSE 'dropped' END
                FROM temp.changed_drop WHERE listing_id = {LISTING}.id)
        WHERE id IN (SELECT listing_id FROM temp.changed_drop)
    """)
    cursor.execute("SELECT listing_id FROM temp.drop_mark WHERE file_id IS NOT NULL")
    dropped = _fetch_keys(cursor)
    temporary_tables.drop(cursor, temporary_tables.DROP_MARK)
    return dropped
