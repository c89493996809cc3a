"""The index of names and codes (instruments/search.py), changed in the transaction that changes instruments.

SQLite only: other databases have indexes of their own. FTS5 keeps no copy of what it indexes here
(`content=''`) and must be told what to forget: `remember` notes that before instruments are written.
"""

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.utils import CursorWrapper

from instruments.models import Instrument
from instruments.search import INDEX, document, key_in_sql

INSTRUMENT = Instrument._meta.db_table


def _remember(listed: str) -> str:
    return f"""
        INSERT INTO temp.indexed SELECT c.isin, {document("i", listed)}
        FROM temp.changed c CROSS JOIN {INSTRUMENT} i ON i.isin = c.isin
    """


_FORGET = f"""
    INSERT INTO {INDEX} ({INDEX}, rowid, said) SELECT 'delete', c.isin_key, x.said
    FROM temp.indexed x JOIN temp.changed c ON c.isin = x.isin
    CROSS JOIN {INSTRUMENT} i ON i.isin = x.isin
    WHERE x.said <> {document("i")} ORDER BY x.isin
"""
_INDEX = f"""
    INSERT INTO {INDEX} (rowid, said) SELECT c.isin_key, {document("i")}
    FROM temp.changed c CROSS JOIN {INSTRUMENT} i ON i.isin = c.isin
    LEFT JOIN temp.indexed x ON x.isin = c.isin
    WHERE x.isin IS NULL OR x.said <> {document("i")} ORDER BY c.isin
"""
_ALL = f"""
    INSERT INTO {INDEX} (rowid, said) SELECT {key_in_sql("i.isin")}, {document("i")}
    FROM {INSTRUMENT} i ORDER BY i.isin
"""


def remember(cursor: CursorWrapper, listed: str = "1") -> None:
    """Note what the index says of the instruments in `temp.changed`; `listed`: which listings it knows."""
    if cursor.db.vendor == "sqlite":
        cursor.execute("DROP TABLE IF EXISTS temp.indexed")
        cursor.execute("CREATE TEMP TABLE indexed (isin TEXT PRIMARY KEY, said TEXT) WITHOUT ROWID")
        cursor.execute(_remember(listed))


def index(cursor: CursorWrapper) -> None:
    """Index the instruments in `temp.changed` as they are now."""
    if cursor.db.vendor == "sqlite":
        cursor.execute(_FORGET)
        cursor.execute(_INDEX)
        cursor.execute("DROP TABLE temp.indexed")


def rebuild(using: str = DEFAULT_DB_ALIAS) -> None:
    """Index all instruments anew: after a copy of the tables by other means than a load."""
    if connections[using].vendor == "sqlite":
        with connections[using].cursor() as cursor:
            cursor.execute(f"INSERT INTO {INDEX} ({INDEX}) VALUES ('delete-all')")
            cursor.execute(_ALL)
