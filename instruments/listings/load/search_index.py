"""The full-text index of names and codes, changed in the transaction that changes instruments.

See `instruments.listings.search` for its form.

SQLite only: other databases have indexes of their own. FTS5 keeps no copy of what it indexes here
(`content=''`) and must be told what to forget: `remember` notes that before instruments are written.
"""

import logging
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.backends.utils import CursorWrapper

from instruments.listings.search import INDEX, NAMED, codes, document, key_in_sql, names_of
from instruments.models import Instrument

INSTRUMENT = Instrument._meta.db_table

logger = logging.getLogger(__name__)

_PIECE = 4_000  # pages of the index
# Names and codes apart, for no word is both: words of those that stay as they are need not be touched.
_RECODED = "CREATE TEMP TABLE recoded (isin_key INTEGER PRIMARY KEY, codes_were TEXT, codes TEXT)"
_SAID = "temp.said b LEFT JOIN temp.recoded x ON x.isin_key = b.isin_key"
_NAMES_DIFFER = f"({' OR '.join(f'b.{column} <> b.{column}_was' for column in NAMED)})"
_CODES_DIFFER = "x.codes <> x.codes_were"
_REINDEXED = f"b.differs > 0 AND ({_NAMES_DIFFER} OR {_CODES_DIFFER})"


def _differing(names: str, codes: str) -> str:
    return f"""CASE WHEN {_NAMES_DIFFER} THEN {names} ELSE '' END || ' ' ||
        CASE WHEN {_CODES_DIFFER} THEN {codes} ELSE '' END"""


_FORGET = f"""
    INSERT INTO {INDEX} ({INDEX}, rowid, document)
    SELECT 'delete', b.isin_key, {_differing(names_of("b", suffix="_was"), "x.codes_were")}
    FROM {_SAID} WHERE {_REINDEXED} ORDER BY b.isin_key
"""
_INDEX = f"""
    INSERT INTO {INDEX} (rowid, document) SELECT b.isin_key,
        CASE WHEN b.differs IS NULL THEN {document("b")}
        ELSE {_differing(names_of("b"), "x.codes")} END
    FROM {_SAID} WHERE b.differs IS NULL OR ({_REINDEXED}) ORDER BY b.isin_key
"""
_MERGE = f"INSERT INTO {INDEX} ({INDEX}, rank) VALUES ('merge', {_PIECE})"
_ALL = f"""
    INSERT INTO {INDEX} (rowid, document) SELECT {key_in_sql("i.isin")}, {document("i")}
    FROM {INSTRUMENT} i ORDER BY i.isin
"""


def remember(cursor: CursorWrapper, *, listed: str, derived: bool) -> None:
    """Note the codes that the index has of the instruments in `temp.said` of which these are going to differ,
    and what it is to have; for `listed` and `derived` see `codes`.
    """
    if cursor.db.vendor == "sqlite":
        cursor.execute("DROP TABLE IF EXISTS temp.recoded")
        cursor.execute(_RECODED)
        were, are = codes("i", listed=listed, derived=derived), codes("b")
        cursor.execute(f"""
            INSERT INTO temp.recoded SELECT b.isin_key, {were}, {are}
            FROM temp.said b CROSS JOIN {INSTRUMENT} i ON i.isin = b.isin
            WHERE b.differs > {1 if derived else 0} ORDER BY b.isin_key
        """)


def index(cursor: CursorWrapper) -> None:
    """Index the instruments in `temp.said` as they are said to be there."""
    if cursor.db.vendor == "sqlite":
        for statement in (_FORGET, _INDEX, "DROP TABLE temp.recoded"):
            cursor.execute(statement)


def tidy(connection: Any) -> None:
    """Put the index's segments together where loads have left many: what searches read through.

    Piece by piece, each in a transaction of its own, so that others can write between. Where another
    load keeps the database to itself for too long, that is left to the next one.
    """
    if connection.vendor != "sqlite":
        return
    worked = True
    with connection.cursor() as cursor:
        while worked:
            before = connection.connection.total_changes
            try:
                cursor.execute(_MERGE)
            except OperationalError as error:
                logger.warning("The index of names is not tidied up: %s", error)
                return
            # One change says that there was nothing to do (sqlite.org/fts5.html, 6.8).
            worked = connection.connection.total_changes - before > 1


def rebuild(using: str = DEFAULT_DB_ALIAS) -> None:
    """Index all instruments anew: after a copy of the tables by other means than a load."""
    if connections[using].vendor == "sqlite":
        with connections[using].cursor() as cursor:
            cursor.execute(f"INSERT INTO {INDEX} ({INDEX}) VALUES ('delete-all')")
            cursor.execute(_ALL)
