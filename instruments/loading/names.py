"""The index of names and codes (instruments/search.py), changed in the transaction that changes instruments.

SQLite only: other databases have indexes of their own. FTS5 keeps no copy of what it indexes here
(`content=''`) and must be told what to forget: `remember` notes that before instruments are written.
"""

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.utils import CursorWrapper

from instruments.models import Instrument
from instruments.search import INDEX, document, key_in_sql

INSTRUMENT = Instrument._meta.db_table

_INDEXED = """
    CREATE TEMP TABLE indexed (isin_key INTEGER PRIMARY KEY, known_as TEXT, said TEXT)
"""
_FORGET = f"""
    INSERT INTO {INDEX} ({INDEX}, rowid, said) SELECT 'delete', x.isin_key, x.known_as
    FROM temp.indexed x WHERE x.known_as <> x.said ORDER BY x.isin_key
"""
_INDEX = f"""
    INSERT INTO {INDEX} (rowid, said) SELECT b.isin_key, coalesce(x.said, {document("b")})
    FROM temp.said b LEFT JOIN temp.indexed x ON x.isin_key = b.isin_key
    WHERE b.differs IS NULL OR x.known_as <> x.said ORDER BY b.rowid
"""
_ALL = f"""
    INSERT INTO {INDEX} (rowid, said) SELECT {key_in_sql("i.isin")}, {document("i")}
    FROM {INSTRUMENT} i ORDER BY i.isin
"""


def remember(cursor: CursorWrapper, *, listed: str, derived: bool) -> None:
    """Note what the index has of the instruments in `temp.said` that are going to differ, and what it is to
    have; for `listed` and `derived` see `document`.
    """
    if cursor.db.vendor == "sqlite":
        known_as = document("i", listed=listed, derived=derived)
        cursor.execute("DROP TABLE IF EXISTS temp.indexed")
        cursor.execute(_INDEXED)
        cursor.execute(f"""
            INSERT INTO temp.indexed SELECT b.isin_key, {known_as}, {document("b")}
            FROM temp.said b CROSS JOIN {INSTRUMENT} i ON i.isin = b.isin
            WHERE b.differs = 1 ORDER BY b.rowid
        """)


def index(cursor: CursorWrapper) -> None:
    """Index the instruments in `temp.said` as they are said to be there."""
    if cursor.db.vendor == "sqlite":
        for statement in (_FORGET, _INDEX, "DROP TABLE temp.indexed"):
            cursor.execute(statement)


def rebuild(using: str = DEFAULT_DB_ALIAS) -> None:
    """Index all instruments anew: after a copy of the tables by other means than a load."""
    if connections[using].vendor == "sqlite":
        with connections[using].cursor() as cursor:
            cursor.execute(f"INSERT INTO {INDEX} ({INDEX}) VALUES ('delete-all')")
            cursor.execute(_ALL)
