"""Listings that full sets no longer hold: dropped, by the first set that should hold them.

A full set lists what is active. So an active listing is dropped by the first complete full set of its
CFI category after the last publication that says it is there: the file of its record, or the last full
file that lists it. That is a function of the set of files loaded, like everything else here.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from pyroaring import BitMap64

from esma_files.models import EsmaFile
from esma_files.names import PARTS
from instruments.listings.load import full_sets
from instruments.models import Difference, FullFile, Listing, Reconciliation

LISTING = Listing._meta.db_table
FILE = EsmaFile._meta.db_table
_DROPPING = """
    CREATE TEMP TABLE dropping (listing_id INTEGER PRIMARY KEY, file_id INTEGER)
"""


@dataclasses.dataclass(frozen=True)
class _Publication:
    """The full set of a category and a day, as far as it is loaded."""

    place: int
    files: list[FullFile]

    @property
    def is_complete(self) -> bool:
        """Whether all parts are there; ESMA may split a day anew, into another number of parts."""
        here = {(full.file.parts, full.file.part) for full in self.files}
        totals = {parts for parts, _ in here}
        return any({(n, part) for part in range(1, n + 1)} <= here for n in totals)

    @property
    def listings(self) -> BitMap64:
        return BitMap64.union(*map(full_sets.listings_of, self.files))

    @property
    def last_file(self) -> int:
        """The one that a listing says it was dropped by: the same, whichever was loaded last."""
        return int(max(self.files, key=lambda full: (full.file.parts, full.file.part)).pk)


def _publications(register: str, category: str) -> Iterator[_Publication]:
    """The newest first; of a part the newest revision."""
    files = (
        FullFile.objects.filter(
            reconciliation__register=register, reconciliation__category=category
        )
        .select_related("file")
        .defer("listings")
        .order_by("-file__published_on", "file__name", "file__revision")
    )
    for place, of in itertools.groupby(files, key=lambda full: full.file.sequence // PARTS):
        yield _Publication(place, list({full.file.name: full for full in of}.values()))


def take_back(cursor: CursorWrapper, file: EsmaFile, *, change: int) -> int:
    """A full file lists what an earlier set had dropped, or its own while less of it was read: that is
    active again; returns how many.
    """
    end = (file.sequence // PARTS + 1) * PARTS
    cursor.execute(f"""
        CREATE TEMP TABLE returned AS
        SELECT l.id AS listing_id FROM temp.timeline t JOIN {LISTING} l ON l.id = t.row_id
        JOIN {FILE} f ON f.id = l.dropped_by_id
        WHERE t.origin = 'listing' AND l.status = 'dropped' AND f.sequence < {end}
    """)
    cursor.execute(f"""
        UPDATE {LISTING} SET status = 'active', dropped_by_id = NULL, change_id = {change}
        WHERE id IN (SELECT listing_id FROM temp.returned)
    """)
    cursor.execute("""
        UPDATE temp.outcome SET outcome = 'changed'
        WHERE outcome = 'unchanged' AND listing_id IN (SELECT listing_id FROM temp.returned)
    """)
    cursor.execute("SELECT count(*) FROM temp.returned")
    (returned,) = cursor.fetchone()
    cursor.execute("DROP TABLE temp.returned")
    return int(returned)


def settle(
    cursor: CursorWrapper,
    file: EsmaFile,
    *,
    register: str,
    full_file: FullFile | None,
    touched: str,
) -> int:
    """Mark what is dropped now that `file` is merged; returns how many listings `full_file`'s set drops.

    `touched` selects ISIN and MIC of the records that may have become the newest. Leaves the listings
    whose mark has changed in `temp.dropping`.
    """
    cursor.execute("DROP TABLE IF EXISTS temp.dropping")
    cursor.execute(_DROPPING)
    place = file.sequence // PARTS
    of_register = FullFile.objects.filter(reconciliation__register=register)
    if of_register.filter(file__sequence__gte=(place + 1) * PARTS).exists():
        _mark_late(cursor, register, touched)
    if full_file is None:
        return 0
    return _complete(cursor, full_file.reconciliation, place=place)


def number(cursor: CursorWrapper, change: int) -> None:
    """Put the listings whose mark has changed into the change set."""
    cursor.execute(f"""
        UPDATE {LISTING} SET change_id = {change}
        WHERE id IN (SELECT listing_id FROM temp.dropping)
    """)


def _mark_late(cursor: CursorWrapper, register: str, touched: str) -> None:
    """Records of a file that came late: newer full sets may lack them."""
    cursor.execute(f"""
        SELECT substr(l.cfi_code, 1, 1), l.id, f.sequence FROM ({touched}) k
        JOIN {LISTING} l ON l.isin = k.isin AND l.mic = k.mic AND l.register = '{register}'
        JOIN {FILE} f ON f.id = l.source_file_id
        WHERE l.status IN ('active', 'dropped') AND l.cfi_code IS NOT NULL
        ORDER BY 1
    """)
    for category, of in itertools.groupby(cursor.fetchall(), key=lambda row: row[0]):
        publications = _publications(register, category)
        _mark(cursor, publications, {key: sequence // PARTS for _, key, sequence in of})


def _complete(cursor: CursorWrapper, of: Reconciliation, *, place: int) -> int:
    """Where the set is complete, mark what it should hold and does not."""
    publications = list(_publications(of.register, of.category))
    mine = next(found for found in publications if found.place == place)
    if not mine.is_complete:
        return 0
    is_newest = not any(found.is_complete and found.place > place for found in publications)
    asked = f"""
        SELECT id FROM {LISTING} WHERE register = '{of.register}'
        AND cfi_code >= '{of.category}' AND cfi_code < '{chr(ord(of.category) + 1)}'
    """
    # What is active beside a newer set is said to be there by something newer.
    in_doubt = "status = 'active'" if is_newest else "dropped_by_id > 0"
    cursor.execute(f"{asked} AND {in_doubt}")
    in_question = full_sets.keys(cursor)
    listings = _places(cursor, in_question - mine.listings if is_newest else in_question)
    dropped = _mark(cursor, publications, listings)
    if of.completed_at is None:
        of.completed_at = timezone.now()
        if of.compared and is_newest:
            of.extra = len(dropped)
            full_sets.keep_examples(of, Difference.Kind.EXTRA, _named(cursor, dropped))
        of.save()
    return len(dropped) if is_newest else 0


def _places(cursor: CursorWrapper, listings: BitMap64) -> dict[int, int]:
    """Of each listing the place of its record in publication order."""
    cursor.execute("CREATE TEMP TABLE asked (listing_id INTEGER PRIMARY KEY)")
    cursor.executemany("INSERT INTO temp.asked VALUES (%s)", [(key,) for key in listings])
    cursor.execute(f"""
        SELECT l.id, f.sequence FROM {LISTING} l JOIN {FILE} f ON f.id = l.source_file_id
        WHERE l.id IN (SELECT listing_id FROM temp.asked)
    """)
    places = {key: sequence // PARTS for key, sequence in cursor.fetchall()}
    cursor.execute("DROP TABLE temp.asked")
    return places


def _mark(
    cursor: CursorWrapper, publications: Iterable[_Publication], listings: dict[int, int]
) -> BitMap64:
    """Bring the marks of these listings, key and place, to what the full sets say.

    Returns those that are dropped.
    """
    left, by = BitMap64(listings), dict.fromkeys(listings, 0)
    for found in publications:
        left -= BitMap64(key for key in left if listings[key] >= found.place)
        if not left:
            break
        left -= found.listings
        if found.is_complete:
            by |= dict.fromkeys(left, found.last_file)
    cursor.execute("CREATE TEMP TABLE mark (listing_id INTEGER PRIMARY KEY, file_id INTEGER)")
    cursor.executemany("INSERT INTO temp.mark VALUES (%s, nullif(%s, 0))", list(by.items()))
    cursor.execute(f"""
        INSERT INTO temp.dropping SELECT listing_id, file_id FROM temp.mark m
        WHERE file_id IS DISTINCT FROM (
            SELECT dropped_by_id FROM {LISTING} l WHERE l.id = m.listing_id)
    """)
    cursor.execute(f"""
        UPDATE {LISTING} SET
            dropped_by_id = (SELECT file_id FROM temp.dropping WHERE listing_id = {LISTING}.id),
            status = (SELECT CASE WHEN file_id IS NULL THEN 'active' ELSE 'dropped' END
                FROM temp.dropping WHERE listing_id = {LISTING}.id)
        WHERE id IN (SELECT listing_id FROM temp.dropping)
    """)
    cursor.execute("SELECT listing_id FROM temp.mark WHERE file_id IS NOT NULL")
    dropped = full_sets.keys(cursor)
    cursor.execute("DROP TABLE temp.mark")
    return dropped


def _named(cursor: CursorWrapper, listings: BitMap64) -> list[tuple[str, str, dict[str, Any]]]:
    """ISIN and MIC of the first of these."""
    keys = list(listings[: Difference.EXAMPLES])
    named = Listing.objects.filter(pk__in=keys).order_by("isin", "mic").values_list("isin", "mic")
    return [(isin, mic, {}) for isin, mic in named]
