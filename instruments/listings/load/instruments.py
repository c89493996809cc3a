"""Derive the row of each instrument from its listings: see `Instrument`.

With it go the rows that are derived from it or beside it: underlyings, the search index, the CFI codes in
use, the number of listings of each venue, and the counts of instruments.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db.backends.utils import CursorWrapper

from instruments.isin import key_of
from instruments.listings.load import (
    corrections,
    ends,
    other_issuers,
    search_index,
    temporary_tables,
    underlyings,
)
from instruments.listings.load import counts as kept_counts
from instruments.listings.load.context import FILE, LISTING, VERSION, MergeContext
from instruments.listings.load.ends import END_COLUMNS
from instruments.listings.load.temporary_tables import LISTING_COUNTS, REFERENCE_TEXTS
from instruments.listings.search import NAMED, key_in_sql
from instruments.models import CfiCode, Instrument, ListedVenue, Register
from instruments.staging.dialect import texts_differ, update_rows

INSTRUMENT = Instrument._meta.db_table
CFI_CODE = CfiCode._meta.db_table
LISTED_VENUE = ListedVenue._meta.db_table

_COUNTS = ("listing_count", *LISTING_COUNTS)
_COLUMNS = (*REFERENCE_TEXTS, "status", "mic", "register", *_COUNTS, *END_COLUMNS)
_TABLES = (
    temporary_tables.CHANGED_INSTRUMENT,
    temporary_tables.REFERENCE_LISTING,
    temporary_tables.DERIVED_INSTRUMENT,
)

# The reference listing of an instrument is the first of its listings in this order.
_REFERENCE_ORDER = """
    CASE l.status WHEN 'active' THEN 0 WHEN 'dropped' THEN 1 WHEN 'terminated' THEN 2 ELSE 3 END,
    CASE WHEN l.mic = l.relevant_venue THEN 0 ELSE 1 END,
    CASE WHEN l.first_trade_at IS NULL THEN 1 ELSE 0 END,
    l.first_trade_at, l.mic, l.register
"""


def derive(merge: MergeContext) -> None:
    """Derive the instruments whose records have changed something, and those of dropped listings.

    Reads `record_outcome` and `changed_drop`.
    """
    _begin(merge.cursor)
    merge.execute(_derive_from_record(merge.register), *_NOTE_CHANGED)
    underlyings.note(merge.cursor, _WRITTEN, is_current=True)
    underlyings.note(merge.cursor, _RESTORED, is_current=True)
    new_versions = f"{VERSION} r WHERE r.id > {merge.last_version_id}"
    underlyings.note(merge.cursor, new_versions, is_current=False)
    _derive_noted(
        merge.cursor,
        listed=f"l.id <= {merge.last_listing_id}",
        agrees_with_listings=True,
        change=merge.change,
    )
    kept_counts.apply(merge.cursor)
    merge.execute(_INSERT_CFI_CODES, *_count_venues(merge.register))
    temporary_tables.drop(merge.cursor, *_TABLES)


@contextmanager
def rederiving_merge(merge: MergeContext, isins: list[str]) -> Iterator[None]:
    """The same as `derive`, for a block that also takes records away: of these instruments.

    Those of dropped listings are added after the block.
    """
    with _rederiving(merge.cursor, isins, f"l.id <= {merge.last_listing_id}", merge.change) as add:
        yield
        add(_NOTE_DROPPED)
    merge.execute(*_count_venues(merge.register))


@contextmanager
def rederiving(cursor: CursorWrapper, isins: list[str]) -> Iterator[None]:
    """Derive these instruments again after the block, which deletes listings of theirs.

    Instruments without any listing left are deleted.
    """
    with _rederiving(cursor, isins, "1", change=None):
        yield


@contextmanager
def _rederiving(
    cursor: CursorWrapper, isins: list[str], listed: str, change: int | None
) -> Iterator[Callable[[str], None]]:
    """`listed` and `change`: see `_derive_noted`. Yields a function for statements that add instruments."""
    _begin(cursor)
    cursor.executemany(
        "INSERT INTO temp.changed_instrument (isin, isin_key) VALUES (%s, %s)",
        [(isin, key_of(isin)) for isin in isins],
    )
    all_listings = f"{LISTING} r WHERE r.isin IN (SELECT isin FROM temp.changed_instrument)"
    underlyings.note(cursor, all_listings, is_current=False)
    yield cursor.execute
    underlyings.note(cursor, all_listings, is_current=True)
    _derive_noted(cursor, listed=listed, agrees_with_listings=False, change=change)
    cursor.execute(_INSERT_CFI_CODES)
    if change is not None:
        other_issuers.note_deleted(cursor, _IS_UNLISTED.format(instrument="i"))
    else:
        other_issuers.forget(cursor, _IS_UNLISTED.format(instrument=other_issuers.OTHER_ISSUER))
    kept_counts.note_deleted(cursor, _IS_UNLISTED.format(instrument="i"))
    cursor.execute(_DELETE_UNLISTED)
    kept_counts.apply(cursor)
    temporary_tables.drop(cursor, *_TABLES)


def _begin(cursor: CursorWrapper) -> None:
    temporary_tables.create(cursor, *_TABLES)
    underlyings.begin(cursor)
    kept_counts.begin(cursor)


def _derive_noted(
    cursor: CursorWrapper, *, listed: str, agrees_with_listings: bool, change: int | None
) -> None:
    """Derive `changed_instrument`, and write `derived_instrument`.

    `change` is the number of the change set of a merge, None where there are no staged records. `listed` and
    `agrees_with_listings`: see `search.codes`.
    """
    for statement in (
        _COUNT_LISTINGS,
        _CHOOSE_REFERENCE,
        _DERIVE_FROM_LISTINGS,
        _RESTORE_CANCELLED_TERMS,
    ):
        cursor.execute(statement)
    other_issuers.note_derived(cursor, is_merge=change is not None)
    corrections.apply(cursor, change=change)
    if not agrees_with_listings:
        cursor.execute(_REINDEX_ALL)
    search_index.note_codes(cursor, listed=listed, agrees_with_listings=agrees_with_listings)
    kept_counts.note_derived(cursor)
    for statement in (_INDEX_CHANGED, _UPDATE, _INSERT):
        cursor.execute(statement)
    search_index.index(cursor)
    underlyings.derive(cursor)


def _derive_row(
    row: str, counts: dict[str, str], *, until: str, register: str, source: str, where: str
) -> str:
    """SQL that fills `derived_instrument` from the columns of `row`.

    `until` is the last day on which one of its listings is active (ends.py), `source` what stands after FROM,
    with ISINs as `c` and `row`; known instruments are joined as `i`.
    """
    values = {column: f"{row}.{column}" for column in _COLUMNS} | counts | {"register": register}
    values |= ends.columns(row, until)
    differences = {
        column: texts_differ(f"coalesce({value}, '')", f"i.{column}")
        if column in REFERENCE_TEXTS
        else f"coalesce({value}, 0) <> coalesce(i.{column}, 0)"
        if column in counts
        else f"coalesce({value}, '9999-12-31') <> coalesce(i.{column}, '9999-12-31')"
        if column in END_COLUMNS
        else f"{value} <> i.{column}"
        for column, value in values.items()
    }
    unindexed = " OR ".join(differences.pop(column) for column in (*NAMED, *END_COLUMNS))
    selected = [
        f"coalesce({value}, '')" if column in REFERENCE_TEXTS else value
        for column, value in values.items()
    ]
    return f"""
        INSERT INTO temp.derived_instrument
            (isin_key, isin, {", ".join((*values, *(f"{c}_before" for c in NAMED)))}, difference)
        SELECT c.isin_key, c.isin, {", ".join((*selected, *(f"i.{c}" for c in NAMED)))},
            CASE WHEN i.isin IS NULL THEN NULL WHEN {" OR ".join(differences.values())} THEN 2
                WHEN {unindexed} THEN 1 ELSE 0 END
        FROM {source} LEFT JOIN {INSTRUMENT} i ON i.isin = c.isin WHERE {where}
    """


_DROPPED_ISINS = (
    f"SELECT DISTINCT isin FROM {LISTING} WHERE id IN (SELECT listing_id FROM temp.changed_drop)"
)


def _derive_from_record(register: Register) -> str:
    """SQL for instruments whose only listing has just been written, as is most often so.

    Their staged record has all that is needed, so their listings need not be read.
    """
    counts = {column: "1" if column == register.counted_in else "NULL" for column in LISTING_COUNTS}
    return _derive_row(
        "s",
        {"listing_count": "1", **counts},
        until="s.active_until",
        register=f"'{register}'",
        source="temp.record_outcome c CROSS JOIN stage.record s ON s.position = c.position",
        where=f"""(
            (c.outcome = 'new' AND i.isin IS NULL)
            OR (c.outcome = 'changed' AND i.listing_count = 1 AND EXISTS (
                SELECT 1 FROM temp.superseded_listing u
                WHERE u.listing_id = c.listing_id AND u.position = c.position))
        ) AND NOT EXISTS (
            SELECT 1 FROM temp.record_outcome o
            WHERE o.isin = c.isin AND o.position <> c.position AND o.outcome <> 'unchanged')
        AND c.isin NOT IN ({_DROPPED_ISINS})""",
    )


_NOTE_DROPPED = f"""
    INSERT INTO temp.changed_instrument (isin, isin_key)
    SELECT d.isin, {key_in_sql("d.isin")}
    FROM ({_DROPPED_ISINS}) AS d WHERE d.isin NOT IN (SELECT isin FROM temp.changed_instrument)
"""
# The other instruments, which are derived from all of their listings.
_NOTE_CHANGED = (
    """
    INSERT INTO temp.changed_instrument (isin, isin_key)
    SELECT isin, max(isin_key) FROM temp.record_outcome o
    WHERE outcome <> 'unchanged'
        AND NOT EXISTS (SELECT 1 FROM temp.derived_instrument b WHERE b.isin_key = o.isin_key)
    GROUP BY isin
    """,
    _NOTE_DROPPED,
)
_COUNTS_BY_REGISTER = ", ".join(
    f"nullif(sum(CASE WHEN l.register = '{register}' THEN 1 ELSE 0 END), 0)"
    for register in LISTING_COUNTS.values()
)
# CROSS JOIN makes SQLite go from the changed instruments to their listings, not the other way around.
_COUNT_LISTINGS = f"""
    INSERT INTO temp.reference_listing
        (isin, isin_key, listing_count, listing_id, active_until, {", ".join(LISTING_COUNTS)})
    SELECT c.isin, c.isin_key, count(*), min(l.id), max({ends.active_until("l")}), {_COUNTS_BY_REGISTER}
    FROM temp.changed_instrument c CROSS JOIN {LISTING} l WHERE l.isin = c.isin
    GROUP BY c.isin, c.isin_key
"""
_CHOOSE_REFERENCE = f"""
    UPDATE temp.reference_listing SET listing_id = (
        SELECT l.id FROM {LISTING} l WHERE l.isin = temp.reference_listing.isin
        ORDER BY {_REFERENCE_ORDER} LIMIT 1)
    WHERE listing_count > 1
"""
_DERIVE_FROM_LISTINGS = _derive_row(
    "l",
    {column: f"c.{column}" for column in _COUNTS},
    until="c.active_until",
    register="l.register",
    source=f"temp.reference_listing c CROSS JOIN {LISTING} l ON l.id = c.listing_id",
    where="1 = 1",
)
# A cancellation has ISIN and MIC only, or the terms that it cancels: the instrument keeps its last terms.
_RESTORE_CANCELLED_TERMS = f"""
    UPDATE temp.derived_instrument SET
        {", ".join(f"{column} = k.{column}" for column in REFERENCE_TEXTS)},
        difference = CASE WHEN temp.derived_instrument.difference IS NULL THEN NULL ELSE 2 END
    FROM (
        SELECT b.isin, {", ".join(f"coalesce(v.{c}, '') AS {c}" for c in REFERENCE_TEXTS)},
            row_number() OVER (PARTITION BY v.isin
                ORDER BY f.sequence DESC, v.register, v.mic, v.source_position DESC) AS place
        FROM temp.derived_instrument b CROSS JOIN {VERSION} v ON v.isin = b.isin
        CROSS JOIN {FILE} f ON f.id = v.source_file_id
        WHERE b.status = 'cancelled' AND v.status <> 'cancelled'
    ) AS k WHERE k.place = 1 AND k.isin = temp.derived_instrument.isin
"""
# One listing may have gone and another come: the row is the same, and the venues in the index are not.
_REINDEX_ALL = "UPDATE temp.derived_instrument SET difference = 2 WHERE difference IS NOT NULL"
_INDEX_CHANGED = (
    "CREATE INDEX temp.changed_derived ON derived_instrument (isin) WHERE difference > 0"
)
_UPDATE = update_rows(
    INSTRUMENT,
    {column: f"b.{column}" for column in _COLUMNS},
    source=f"temp.derived_instrument b WHERE b.isin = {INSTRUMENT}.isin AND b.difference > 0",
    where=f"{INSTRUMENT}.isin IN (SELECT isin FROM temp.derived_instrument WHERE difference > 0)",
)
_INSERT = f"""
    INSERT OR FAIL INTO {INSTRUMENT} (isin, {", ".join(_COLUMNS)})
    SELECT b.isin, {", ".join(f"b.{column}" for column in _COLUMNS)}
    FROM temp.derived_instrument b WHERE b.difference IS NULL
"""
_IS_UNLISTED = f"""{{instrument}}.isin IN (SELECT isin FROM temp.changed_instrument)
    AND NOT EXISTS (SELECT 1 FROM {LISTING} l WHERE l.isin = {{instrument}}.isin)"""
_DELETE_UNLISTED = f"DELETE FROM {INSTRUMENT} WHERE {_IS_UNLISTED.format(instrument=INSTRUMENT)}"

# The records that underlyings are taken from: staged ones that became the newest, and versions that did.
_WRITTEN = """temp.record_outcome o CROSS JOIN stage.record r ON r.position = o.position
    WHERE o.outcome IN ('new', 'changed')"""
_RESTORED = f"""{LISTING} r
    WHERE r.id IN (SELECT listing_id FROM temp.superseded_listing WHERE position IS NULL)"""

_INSERT_CFI_CODES = f"""
    INSERT INTO {CFI_CODE} (code)
    SELECT cfi_code FROM (
        SELECT DISTINCT cfi_code FROM temp.derived_instrument WHERE cfi_code <> '') AS derived
    WHERE cfi_code NOT IN (SELECT code FROM {CFI_CODE})
"""
_NEW_LISTINGS = """
    (SELECT mic, sum(records) AS listings FROM temp.outcome_count WHERE outcome = 'new'
    GROUP BY mic) AS a
"""


def _count_venues(register: Register) -> tuple[str, str]:
    """SQL that adds the new listings to the counts of their venues: a load deletes none."""
    own = register.counted_in
    values = ", ".join("listings" if column == own else "0" for column in LISTING_COUNTS)
    return (
        f"""UPDATE {LISTED_VENUE} SET listings = {LISTED_VENUE}.listings + a.listings,
            {own} = {LISTED_VENUE}.{own} + a.listings
            FROM {_NEW_LISTINGS} WHERE a.mic = {LISTED_VENUE}.mic""",
        f"""INSERT INTO {LISTED_VENUE} (mic, listings, {", ".join(LISTING_COUNTS)})
            SELECT mic, listings, {values} FROM {_NEW_LISTINGS}
            WHERE a.mic NOT IN (SELECT mic FROM {LISTED_VENUE})""",
    )
