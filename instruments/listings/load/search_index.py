"""Keep the full-text index of names and codes, in the transaction that changes instruments.

See `instruments.listings.search` for its form. Only SQLite has it; other databases have ordinary indexes.
FTS5 keeps no copy of the text that it indexes here (`content=''`), and must be told the words to delete: so
the codes of an instrument are noted before it is written, and its former names are in `derived_instrument`.
"""

import logging
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.backends.utils import CursorWrapper

from instruments.listings.load import temporary_tables
from instruments.listings.search import INDEX, NAMED, codes, document, key_in_sql, names_of
from instruments.models import Instrument

INSTRUMENT = Instrument._meta.db_table

logger = logging.getLogger(__name__)

_PAGES_AT_A_TIME = 4_000
# A word is never both of a name and of a code, so words of the part that does not change are left alone.
_DERIVED = "temp.derived_instrument b LEFT JOIN temp.indexed_codes x ON x.isin_key = b.isin_key"
_NAMES_DIFFER = f"({' OR '.join(f'b.{column} <> b.{column}_before' for column in NAMED)})"
_CODES_DIFFER = "x.codes <> x.codes_before"
_WORDS_DIFFER = f"b.difference > 0 AND ({_NAMES_DIFFER} OR {_CODES_DIFFER})"


def _differing_words(names: str, codes: str) -> str:
    return f"""CASE WHEN {_NAMES_DIFFER} THEN {names} ELSE '' END || ' ' ||
        CASE WHEN {_CODES_DIFFER} THEN {codes} ELSE '' END"""


_DELETE_WORDS = f"""
    INSERT INTO {INDEX} ({INDEX}, rowid, document)
    SELECT 'delete', b.isin_key, {_differing_words(names_of("b", suffix="_before"), "x.codes_before")}
    FROM {_DERIVED} WHERE {_WORDS_DIFFER} ORDER BY b.isin_key
"""
_INSERT_WORDS = f"""
    INSERT INTO {INDEX} (rowid, document) SELECT b.isin_key,
        CASE WHEN b.difference IS NULL THEN {document("b")}
        ELSE {_differing_words(names_of("b"), "x.codes")} END
    FROM {_DERIVED} WHERE b.difference IS NULL OR ({_WORDS_DIFFER}) ORDER BY b.isin_key
"""
_MERGE_SEGMENTS = f"INSERT INTO {INDEX} ({INDEX}, rank) VALUES ('merge', {_PAGES_AT_A_TIME})"
_INSERT_ALL = f"""
    INSERT INTO {INDEX} (rowid, document) SELECT {key_in_sql("i.isin")}, {document("i")}
    FROM {INSTRUMENT} i ORDER BY i.isin
"""


def note_codes(cursor: CursorWrapper, *, listed: str, agrees_with_listings: bool) -> None:
    """Note the indexed codes of the instruments in `derived_instrument` that will change, and the new ones.

    `listed` and `agrees_with_listings` are for the codes as they are indexed: see `search.codes`.
    """
    if cursor.db.vendor != "sqlite":
        return
    temporary_tables.create(cursor, temporary_tables.INDEXED_CODES)
    before = codes("i", listed=listed, agrees_with_listings=agrees_with_listings)
    cursor.execute(f"""
        INSERT INTO temp.indexed_codes (isin_key, codes_before, codes)
        SELECT b.isin_key, {before}, {codes("b")}
        FROM temp.derived_instrument b CROSS JOIN {INSTRUMENT} i ON i.isin = b.isin
        WHERE b.difference > {1 if agrees_with_listings else 0} ORDER BY b.isin_key
    """)


def index(cursor: CursorWrapper) -> None:
    """Bring the index to what `derived_instrument` has; called after `note_codes`."""
    if cursor.db.vendor == "sqlite":
        cursor.execute(_DELETE_WORDS)
        cursor.execute(_INSERT_WORDS)
        temporary_tables.drop(cursor, temporary_tables.INDEXED_CODES)


def tidy(connection: Any) -> None:
    """Merge the segments that loads have left in the index, because searches read each of them.

    A few thousand pages at a time, each in a transaction of its own, so that others can write between. If
    another load keeps the database busy for too long, the next call continues.
    """
    if connection.vendor != "sqlite":
        return
    is_merging = True
    with connection.cursor() as cursor:
        while is_merging:
            changes_before = connection.connection.total_changes
            try:
                cursor.execute(_MERGE_SEGMENTS)
            except OperationalError as error:
                logger.warning("The segments of the search index are not merged: %s", error)
                return
            # A single change means that there was nothing to merge (sqlite.org/fts5.html, 6.8).
            is_merging = connection.connection.total_changes - changes_before > 1


def rebuild(using: str = DEFAULT_DB_ALIAS) -> None:
    """Index all instruments again, after the tables were filled in another way than by a load."""
    if connections[using].vendor == "sqlite":
        with connections[using].cursor() as cursor:
            cursor.execute(f"INSERT INTO {INDEX} ({INDEX}) VALUES ('delete-all')")
            cursor.execute(_INSERT_ALL)
