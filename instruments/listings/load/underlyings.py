"""What each instrument is derived from, from its listings: see `Underlying`."""

from django.db.backends.utils import CursorWrapper

from instruments.listings.models.underlying import LINKS
from instruments.models import Link, Listing, Underlying
from instruments.staging.dialect import each_word

LISTING = Listing._meta.db_table
UNDERLYING = Underlying._meta.db_table
_BASKET = "underlying_basket"
_NAMES_ANY = " OR ".join(f"r.{column} IS NOT NULL" for column in LINKS)

# Wide rows are read once, and what they name is then read from a narrow table, column by column.
_NAMED = f"""
    CREATE TEMP TABLE named AS SELECT r.isin, 1 AS is_now, {", ".join(f"r.{c}" for c in LINKS)}
    FROM {LISTING} r WHERE 1 = 0
"""


def _codes(column: str, link: Link) -> str:
    code, words = f"n.{column}", ""
    if column == _BASKET:
        code, words = "w.value", each_word("n", column, "w")
    return f"""
        SELECT n.isin, {code} AS code, {link.value} AS link, n.is_now
        FROM temp.named n {words} WHERE n.{column} IS NOT NULL
    """


_LINK = "min(CASE WHEN is_now = 1 THEN link END)"
_WAS = "min(CASE WHEN is_now = 0 THEN link END)"
_LINKS = f"""
    SELECT code, isin, {_LINK} AS link, {_WAS} AS was FROM (
        {" UNION ALL ".join(_codes(column, link) for column, link in LINKS.items())}
    ) AS codes GROUP BY code, isin
"""
# What is named as it was has not changed. In the order of the index that leads from underlyings to what
# is derived from them.
_LINKED = f"""
    CREATE TEMP TABLE linked AS SELECT code, isin, link, was FROM ({_LINKS}) AS links
    WHERE coalesce(link, 0) <> coalesce(was, 0)
"""
# CROSS JOIN: from the few to the many, and never the other way around.
_FORGET = f"""
    DELETE FROM {UNDERLYING} WHERE id IN (
        SELECT u.id FROM temp.linked k
        CROSS JOIN {UNDERLYING} u ON u.code = k.code AND u.instrument_id = k.isin
        WHERE k.was IS NOT NULL)
"""
_AGAIN = (
    "CREATE TEMP TABLE relinked AS SELECT DISTINCT isin FROM temp.linked WHERE was IS NOT NULL",
    "DELETE FROM temp.named",
    "DELETE FROM temp.linked WHERE isin IN (SELECT isin FROM temp.relinked)",
)
_CLOSER = f"""
    UPDATE {UNDERLYING} SET link = k.link FROM temp.linked k
    WHERE k.code = {UNDERLYING}.code AND k.isin = {UNDERLYING}.instrument_id
    AND k.link < {UNDERLYING}.link
"""
_NOTE = f"""
    INSERT OR FAIL INTO {UNDERLYING} (code, instrument_id, link)
    SELECT k.code, k.isin, k.link FROM temp.linked k WHERE NOT EXISTS (
        SELECT 1 FROM {UNDERLYING} u WHERE u.code = k.code AND u.instrument_id = k.isin)
"""


def begin(cursor: CursorWrapper) -> None:
    """Nothing is known yet of what was named, and what is."""
    _drop(cursor)
    cursor.execute(_NAMED)


def note(cursor: CursorWrapper, rows: str, *, now: bool) -> None:
    """Note what `rows` (of `r`, what stands after FROM) name, now or before the change."""
    cursor.execute(f"""
        INSERT INTO temp.named (isin, is_now, {", ".join(LINKS)})
        SELECT r.isin, {int(now)}, {", ".join(f"r.{column}" for column in LINKS)} FROM {rows}
        AND ({_NAMES_ANY})
    """)


def derive(cursor: CursorWrapper) -> None:
    """Bring underlyings to what has been noted, of each listing that changed.

    Where one is named no more, or in another way, all listings of the instrument are asked.
    """
    cursor.execute(_LINKED)
    cursor.execute("SELECT 1 FROM temp.linked WHERE was IS NOT NULL LIMIT 1")
    if cursor.fetchone():
        for statement in (_FORGET, *_AGAIN):
            cursor.execute(statement)
        note(cursor, f"{LISTING} r WHERE r.isin IN (SELECT isin FROM temp.relinked)", now=True)
        cursor.execute(f"INSERT INTO temp.linked (code, isin, link, was) {_LINKS}")
    for statement in (_CLOSER, _NOTE):
        cursor.execute(statement)
    _drop(cursor)


def _drop(cursor: CursorWrapper) -> None:
    for table in ("named", "linked", "relinked"):
        cursor.execute(f"DROP TABLE IF EXISTS temp.{table}")
