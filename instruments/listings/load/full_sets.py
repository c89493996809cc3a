"""Full sets: which listings their files hold, and which listings they drop.

A full set holds the active records of a CFI category. So an active listing is dropped by the first
complete full set of its category after the last publication that holds it: the file of its record, or the
last full file that lists it. That depends on the set of files loaded only, and not on their order.

`FullFile` keeps the listings of each full file as a bitmap of their keys.
"""

import dataclasses
import itertools
from array import array
from collections.abc import Iterable, Iterator

from django.db.backends.utils import CursorWrapper
from pyroaring import BitMap64

from esma_files.models import EsmaFile
from esma_files.names import PARTS
from instruments.listings.load import reconciliation, rejected, temporary_tables
from instruments.listings.load.context import FILE, LISTING, REREAD_FROM, MergeContext
from instruments.models import FullFile, Reconciliation


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
    """Return the keys in the result of a query, which may be millions, without a list of them."""
    return BitMap64(array("Q", itertools.chain.from_iterable(cursor)))


def listings_of(full_file: FullFile) -> BitMap64:
    """Return the keys of the listings that a full file holds."""
    return BitMap64.deserialize(bytes(full_file.listings))


@dataclasses.dataclass(frozen=True)
class _Publication:
    """The full set of a category and a day, as far as it is loaded.

    `place` is its place in publication order, which its parts have in common.
    """

    place: int
    files: list[FullFile]

    @property
    def is_complete(self) -> bool:
        """Return True if all parts are loaded, and none as an excerpt.

        A day may be published again in another number of parts.
        """
        loaded = {
            (full.file.parts, full.file.part) for full in self.files if not full.file.is_excerpt
        }
        totals = {parts for parts, _ in loaded}
        return any({(n, part) for part in range(1, n + 1)} <= loaded for n in totals)

    @property
    def listings(self) -> BitMap64:
        return BitMap64.union(*map(listings_of, self.files))

    @property
    def last_file(self) -> int:
        """The key of the file that a dropped listing refers to, whichever part was loaded last."""
        return int(max(self.files, key=lambda full: (full.file.parts, full.file.part)).pk)


def _publications(register: str, category: str) -> Iterator[_Publication]:
    """Yield the full sets of a category, the newest first; of each part the newest revision."""
    files = (
        FullFile.objects.filter(
            reconciliation__register=register, reconciliation__category=category
        )
        .select_related("file")
        .defer("listings")
        .order_by("-file__published_on", "file__name", "file__revision")
    )
    for place, parts in itertools.groupby(files, key=lambda full: _place(full.file)):
        yield _Publication(place, list({full.file.name: full for full in parts}.values()))


def _place(file: EsmaFile) -> int:
    return file.sequence // PARTS


def withdraw_files(merge: MergeContext, files: list[int]) -> BitMap64:
    """Take older revisions of the file out of their full sets, as if they had never been loaded.

    Listings that they had dropped are active again until the new revision is merged. Returns these.
    """
    temporary_tables.create(merge.cursor, temporary_tables.REOPENED_LISTING)
    for full_file in FullFile.objects.filter(file__in=files).select_related("reconciliation"):
        reconciliation.withdraw(full_file)
        merge.execute(
            f"""INSERT INTO temp.reopened_listing (listing_id)
                SELECT id FROM {LISTING} WHERE dropped_by_id = {full_file.pk}""",
            f"""UPDATE {LISTING}
                SET status = 'active', dropped_by_id = NULL, change_id = {merge.change}
                WHERE dropped_by_id = {full_file.pk}""",
        )
        full_file.delete()
    merge.cursor.execute("SELECT listing_id FROM temp.reopened_listing")
    return _fetch_keys(merge.cursor)


def reactivate_relisted(merge: MergeContext) -> int:
    """Make listings active again that an earlier set, or a part of this one, had dropped.

    Returns how many of the file's listings those were.
    """
    end = (_place(merge.file) + 1) * PARTS
    temporary_tables.create(merge.cursor, temporary_tables.RELISTED_LISTING)
    merge.execute(
        f"""INSERT INTO temp.relisted_listing (listing_id)
            SELECT l.id FROM temp.timeline t JOIN {LISTING} l ON l.id = t.row_id
            JOIN {FILE} f ON f.id = l.dropped_by_id
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
    place = _place(merge.file)
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
        JOIN {LISTING} l ON l.isin = k.isin AND l.mic = k.mic AND l.register = '{merge.register}'
        JOIN {FILE} f ON f.id = l.source_file_id
        WHERE l.status IN ('active', 'dropped') AND l.cfi_code IS NOT NULL
        ORDER BY 1
    """)
    for category, rows in itertools.groupby(merge.cursor.fetchall(), key=lambda row: row[0]):
        places = {listing: sequence // PARTS for _, listing, sequence in rows}
        _mark(merge.cursor, _publications(merge.register, category), places)


def _mark_listings_of_set(merge: MergeContext, full_set: Reconciliation) -> int:
    """Mark the listings that the set of the file should hold and does not, where it is complete.

    Returns how many those are.
    """
    publications = list(_publications(merge.register, full_set.category))
    place = _place(merge.file)
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
    cursor: CursorWrapper, publications: Iterable[_Publication], places: dict[int, int]
) -> BitMap64:
    """Bring the marks of some listings to what the full sets say.

    `places` has the place of the file of each listing's record; `publications` are the newest first.
    Returns the listings that are dropped.
    """
    undecided, dropped_by = BitMap64(places), dict.fromkeys(places, 0)
    for publication in publications:
        undecided -= BitMap64(key for key in undecided if places[key] >= publication.place)
        if not undecided:
            break
        undecided -= publication.listings
        if publication.is_complete:
            dropped_by |= dict.fromkeys(undecided, publication.last_file)
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
