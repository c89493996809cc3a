"""What each instrument is derived from, from its listings: see `Underlying`."""

from django.db.backends.utils import CursorWrapper

from instruments.loading.dialect import each_word
from instruments.models import Link, Listing, Underlying
from instruments.models.underlying import LINKS

LISTING = Listing._meta.db_table
UNDERLYING = Underlying._meta.db_table
_BASKET = "underlying_basket"

# CROSS JOIN: from the few that changed to their listings. Wide rows are read once, and what they name
# is then read from a narrow table, column by column: a third of the time.
_NAMED = f"""
    CREATE TEMP TABLE named AS SELECT l.isin, {", ".join(f"l.{column}" for column in LINKS)}
    FROM temp.changed c CROSS JOIN {LISTING} l
    WHERE l.isin = c.isin AND ({" OR ".join(f"l.{column} IS NOT NULL" for column in LINKS)})
"""
_FORGET = f"DELETE FROM {UNDERLYING} WHERE instrument_id IN (SELECT isin FROM temp.changed)"


def _codes(column: str, link: Link) -> str:
    code, words = f"n.{column}", ""
    if column == _BASKET:
        code, words = "w.value", each_word("n", column, "w")
    return f"""
        SELECT {code} AS code, n.isin, {link.value} AS link
        FROM temp.named n {words} WHERE n.{column} IS NOT NULL
    """


_NOTE = f"""
    INSERT INTO {UNDERLYING} (code, instrument_id, link)
    SELECT code, isin, min(link) FROM (
        {" UNION ALL ".join(_codes(column, link) for column, link in LINKS.items())}
    ) AS codes GROUP BY isin, code
"""


def derive(cursor: CursorWrapper) -> None:
    """Note anew the underlyings of the instruments in `temp.changed`."""
    cursor.execute("DROP TABLE IF EXISTS temp.named")
    for statement in (_FORGET, _NAMED, _NOTE, "DROP TABLE temp.named"):
        cursor.execute(statement)
