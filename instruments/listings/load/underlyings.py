"""Derive the underlyings of each instrument from its listings: see `Underlying`.

The wide rows of records are read once, into a narrow table; codes are then taken from that, column by column.
"""

from django.db.backends.utils import CursorWrapper

from instruments.listings.load import temporary_tables
from instruments.listings.load.context import LISTING
from instruments.listings.models.underlying import LINKS
from instruments.models import Link, Underlying
from instruments.staging.dialect import join_words

UNDERLYING = Underlying._meta.db_table
_BASKET = "underlying_basket"
_TABLES = (
    temporary_tables.NAMED_UNDERLYING,
    temporary_tables.CHANGED_UNDERLYING,
    temporary_tables.RELINKED_INSTRUMENT,
)
_NAMES_UNDERLYING = " OR ".join(f"r.{column} IS NOT NULL" for column in LINKS)


def _codes(column: str, link: Link) -> str:
    """SQL for the codes in a column of `named_underlying`, each with its link."""
    code, members = f"n.{column}", ""
    if column == _BASKET:
        code, members = "w.value", join_words("n", column, "w")
    return f"""
        SELECT n.isin, {code} AS code, {link.value} AS link, n.is_current
        FROM temp.named_underlying n {members} WHERE n.{column} IS NOT NULL
    """


_LINKS = f"""
    SELECT code, isin, min(CASE WHEN is_current = 1 THEN link END) AS link,
        min(CASE WHEN is_current = 0 THEN link END) AS link_before
    FROM ({" UNION ALL ".join(_codes(column, link) for column, link in LINKS.items())}) AS codes
    GROUP BY code, isin
"""
_NOTE_CHANGED = f"""
    INSERT INTO temp.changed_underlying (code, isin, link, link_before)
    SELECT code, isin, link, link_before FROM ({_LINKS}) AS links
    WHERE coalesce(link, 0) <> coalesce(link_before, 0)
"""
# CROSS JOIN makes SQLite go from the changed underlyings to the table, not the other way around.
_DELETE_FORMER = f"""
    DELETE FROM {UNDERLYING} WHERE id IN (
        SELECT u.id FROM temp.changed_underlying k
        CROSS JOIN {UNDERLYING} u ON u.code = k.code AND u.instrument_id = k.isin
        WHERE k.link_before IS NOT NULL)
"""
_NOTE_RELINKED = (
    """INSERT INTO temp.relinked_instrument (isin)
        SELECT DISTINCT isin FROM temp.changed_underlying WHERE link_before IS NOT NULL""",
    "DELETE FROM temp.named_underlying",
    """DELETE FROM temp.changed_underlying
        WHERE isin IN (SELECT isin FROM temp.relinked_instrument)""",
)
_UPDATE_CLOSER = f"""
    UPDATE {UNDERLYING} SET link = k.link FROM temp.changed_underlying k
    WHERE k.code = {UNDERLYING}.code AND k.isin = {UNDERLYING}.instrument_id
    AND k.link < {UNDERLYING}.link
"""
_INSERT_NEW = f"""
    INSERT OR FAIL INTO {UNDERLYING} (code, instrument_id, link)
    SELECT k.code, k.isin, k.link FROM temp.changed_underlying k WHERE NOT EXISTS (
        SELECT 1 FROM {UNDERLYING} u WHERE u.code = k.code AND u.instrument_id = k.isin)
"""


def begin(cursor: CursorWrapper) -> None:
    """Create the temporary tables; to be called before `note`."""
    temporary_tables.create(cursor, *_TABLES)


def note(cursor: CursorWrapper, records: str, *, is_current: bool) -> None:
    """Note the underlyings that records name now, or named before the change.

    `records` is what stands after FROM, with a WHERE clause, and the records as `r`.
    """
    cursor.execute(f"""
        INSERT INTO temp.named_underlying (isin, is_current, {", ".join(LINKS)})
        SELECT r.isin, {int(is_current)}, {", ".join(f"r.{column}" for column in LINKS)}
        FROM {records} AND ({_NAMES_UNDERLYING})
    """)


def derive(cursor: CursorWrapper) -> None:
    """Write the differences between the underlyings noted as they were and as they are now.

    An instrument may have lost one, or name it in another way: then all of its listings are read.
    """
    cursor.execute(_NOTE_CHANGED)
    cursor.execute("SELECT 1 FROM temp.changed_underlying WHERE link_before IS NOT NULL LIMIT 1")
    if cursor.fetchone():
        for statement in (_DELETE_FORMER, *_NOTE_RELINKED):
            cursor.execute(statement)
        relinked = f"{LISTING} r WHERE r.isin IN (SELECT isin FROM temp.relinked_instrument)"
        note(cursor, relinked, is_current=True)
        cursor.execute(
            f"INSERT INTO temp.changed_underlying (code, isin, link, link_before) {_LINKS}"
        )
    for statement in (_UPDATE_CLOSER, _INSERT_NEW):
        cursor.execute(statement)
    temporary_tables.drop(cursor, *_TABLES)
