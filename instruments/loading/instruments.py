"""The row of each instrument, derived from its listings: see `Instrument`."""

from django.db.backends.utils import CursorWrapper

from esma_files.models import EsmaFile
from instruments.isin import key_of
from instruments.loading import names, underlyings
from instruments.models import CfiCode, Instrument, ListedVenue, Listing, ListingVersion, Register
from instruments.search import key_in_sql

INSTRUMENT = Instrument._meta.db_table
LISTING = Listing._meta.db_table
VERSION = ListingVersion._meta.db_table
FILE = EsmaFile._meta.db_table
CFI_CODE = CfiCode._meta.db_table
LISTED_VENUE = ListedVenue._meta.db_table

# Columns of Instrument that the authoritative listing gives; NULL there is "" here.
_TEXTS = ("full_name", "short_name", "cfi_code", "notional_currency", "issuer_lei")
_COUNTS = {register.counted_in: register.value for register in Register}
_COLUMNS = (*_TEXTS, "status", "mic", "register", "listing_count", *_COUNTS)

# Which of an instrument's listings speaks for it: the first in this order.
_AUTHORITY = """
    CASE l.status WHEN 'active' THEN 0 WHEN 'dropped' THEN 1 WHEN 'terminated' THEN 2 ELSE 3 END,
    CASE WHEN l.mic = l.relevant_venue THEN 0 ELSE 1 END,
    CASE WHEN l.first_trade_at IS NULL THEN 1 ELSE 0 END,
    l.first_trade_at, l.mic, l.register
"""
# `isin_key` is the ISIN as a number, for the index of names: staging knows it of what was read.
_CHANGED = f"""
    INSERT INTO temp.changed SELECT isin, coalesce(max(isin_key), {key_in_sql("isin")}) FROM (
        SELECT isin, isin_key FROM temp.outcome WHERE outcome <> 'unchanged'
        UNION ALL
        SELECT isin, NULL FROM {LISTING} WHERE id IN (SELECT listing_id FROM temp.dropping)
    ) AS touched GROUP BY isin
"""
_PER_REGISTER = ", ".join(
    f"nullif(sum(CASE WHEN l.register = '{register}' THEN 1 ELSE 0 END), 0) AS {column}"
    for column, register in _COUNTS.items()
)
# CROSS JOIN: from the few that changed to their listings, and never the other way around.
_AUTHORITATIVE = f"""
    CREATE TEMP TABLE authoritative AS
    SELECT c.isin, count(*) AS listing_count, min(l.id) AS listing_id, {_PER_REGISTER}
    FROM temp.changed c CROSS JOIN {LISTING} l WHERE l.isin = c.isin GROUP BY c.isin
"""
# Most instruments have one listing, and need no ranking.
_RANKED = f"""
    UPDATE temp.authoritative SET listing_id = (
        SELECT l.id FROM {LISTING} l WHERE l.isin = temp.authoritative.isin
        ORDER BY {_AUTHORITY} LIMIT 1)
    WHERE listing_count > 1
"""
_SAID = f"""
    SELECT l.isin, {", ".join(f"coalesce(l.{column}, '') AS {column}" for column in _TEXTS)},
        l.status, l.mic, l.register, a.listing_count, {", ".join(f"a.{c}" for c in _COUNTS)}
    FROM temp.authoritative a JOIN {LISTING} l ON l.id = a.listing_id
"""


def _differs(column: str) -> str:
    """Counts are NULL where there is none."""
    new, old = f"b.{column}", f"{INSTRUMENT}.{column}"
    if column in _COUNTS:
        return f"coalesce({new}, 0) <> coalesce({old}, 0)"
    return f"{new} <> {old}"


_INSERT = f"""
    INSERT INTO {INSTRUMENT} (isin, {", ".join(_COLUMNS)}) {_SAID}
    WHERE NOT EXISTS (SELECT 1 FROM {INSTRUMENT} i WHERE i.isin = a.isin)
"""
_UPDATE = f"""
    UPDATE {INSTRUMENT} SET {", ".join(f"{column} = b.{column}" for column in _COLUMNS)}
    FROM ({_SAID}) AS b WHERE b.isin = {INSTRUMENT}.isin
    AND ({" OR ".join(map(_differs, _COLUMNS))})
"""
# A cancellation carries nothing but ISIN and MIC: the instrument keeps the terms it last had.
_LAST_KNOWN = f"""
    UPDATE {INSTRUMENT} SET {", ".join(f"{column} = k.{column}" for column in _TEXTS)} FROM (
        SELECT i.isin, {", ".join(f"coalesce(v.{column}, '') AS {column}" for column in _TEXTS)},
            row_number() OVER (PARTITION BY v.isin
                ORDER BY f.sequence DESC, v.register, v.mic, v.source_position DESC) AS place
        FROM temp.changed c CROSS JOIN {INSTRUMENT} i ON i.isin = c.isin
        CROSS JOIN {VERSION} v ON v.isin = i.isin
        CROSS JOIN {FILE} f ON f.id = v.source_file_id
        WHERE i.status = 'cancelled' AND v.status <> 'cancelled'
    ) AS k WHERE k.place = 1 AND k.isin = {INSTRUMENT}.isin
"""
_NEW_CFI_CODES = f"""
    INSERT INTO {CFI_CODE} (code)
    SELECT cfi_code
    FROM (SELECT DISTINCT cfi_code FROM stage.record WHERE cfi_code IS NOT NULL) AS staged
    WHERE cfi_code NOT IN (SELECT code FROM {CFI_CODE})
"""
# Listings are added and never taken away, so counting the new ones is enough.
_ADDED = "SELECT mic, count(*) AS listings FROM temp.outcome WHERE outcome = 'new' GROUP BY mic"
_DERIVE = (_AUTHORITATIVE, _RANKED, _UPDATE, _INSERT, _LAST_KNOWN)


def _count_venues(register: Register) -> tuple[str, str]:
    """The statements that add new listings to the counts of their venues."""
    own = register.counted_in
    counted = ", ".join("listings" if column == own else "0" for column in _COUNTS)
    return (
        f"""UPDATE {LISTED_VENUE} SET listings = {LISTED_VENUE}.listings + a.listings,
            {own} = {LISTED_VENUE}.{own} + a.listings
            FROM ({_ADDED}) AS a WHERE a.mic = {LISTED_VENUE}.mic""",
        f"""INSERT INTO {LISTED_VENUE} (mic, listings, {", ".join(_COUNTS)})
            SELECT mic, listings, {counted} FROM ({_ADDED}) AS a
            WHERE a.mic NOT IN (SELECT mic FROM {LISTED_VENUE})""",
    )


_DELETE = f"""
    DELETE FROM {INSTRUMENT} WHERE isin IN (SELECT isin FROM temp.changed)
    AND NOT EXISTS (SELECT 1 FROM {LISTING} l WHERE l.isin = {INSTRUMENT}.isin)
"""


def derive_anew(cursor: CursorWrapper, isins: list[str]) -> None:
    """Derive instruments anew of which listings have been deleted; without any they go too."""
    _begin(cursor)
    rows = [(isin, key_of(isin)) for isin in isins]
    cursor.executemany("INSERT INTO temp.changed (isin, isin_key) VALUES (%s, %s)", rows)
    names.remember(cursor)
    for statement in (*_DERIVE, _DELETE):
        cursor.execute(statement)
    names.index(cursor)
    underlyings.derive(cursor)


def _begin(cursor: CursorWrapper) -> None:
    for table in ("changed", "authoritative"):
        cursor.execute(f"DROP TABLE IF EXISTS temp.{table}")
    cursor.execute(
        "CREATE TEMP TABLE changed (isin TEXT PRIMARY KEY, isin_key INTEGER) WITHOUT ROWID"
    )


def derive(cursor: CursorWrapper, register: Register, *, known_until: int) -> None:
    """Derive anew the instruments of the records that changed something (`temp.outcome`), and of the
    listings that were dropped (`temp.dropping`).

    And note their underlyings, and the CFI codes and venues that are new, these in the counts of
    `register`, and index names and codes. `known_until` is the last listing that was there before.
    """
    _begin(cursor)
    cursor.execute(_CHANGED)
    names.remember(cursor, f"l.id <= {known_until}")
    for statement in (*_DERIVE, _NEW_CFI_CODES, *_count_venues(register)):
        cursor.execute(statement)
    names.index(cursor)
    underlyings.derive(cursor)
