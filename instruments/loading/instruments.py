"""The row of each instrument, derived from its listings: see `Instrument`."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.utils import CursorWrapper

from esma_files.models import EsmaFile
from instruments.isin import key_of
from instruments.loading import names, underlyings
from instruments.loading.dialect import differ, rewritten
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
    SELECT c.isin, c.isin_key, count(*) AS listing_count, min(l.id) AS listing_id, {_PER_REGISTER}
    FROM temp.changed c CROSS JOIN {LISTING} l WHERE l.isin = c.isin
    GROUP BY c.isin, c.isin_key
"""
# Most instruments have one listing, and need no ranking.
_RANKED = f"""
    UPDATE temp.authoritative SET listing_id = (
        SELECT l.id FROM {LISTING} l WHERE l.isin = temp.authoritative.isin
        ORDER BY {_AUTHORITY} LIMIT 1)
    WHERE listing_count > 1
"""


def _differs(column: str) -> str:
    """Counts are NULL where there is none."""
    said = f"a.{column}" if column in (*_COUNTS, "listing_count") else f"l.{column}"
    if column in _COUNTS:
        return f"coalesce({said}, 0) <> coalesce(i.{column}, 0)"
    if column in _TEXTS:
        return differ(f"coalesce({said}, '')", f"i.{column}")
    return f"{said} <> i.{column}"


# What is to be said of each instrument; `differs` from what is said already: NULL of a new one.
_SAID = f"""
    CREATE TEMP TABLE said AS
    SELECT a.isin, a.isin_key,
        {", ".join(f"coalesce(l.{column}, '') AS {column}" for column in _TEXTS)},
        l.status, l.mic, l.register, a.listing_count, {", ".join(f"a.{c}" for c in _COUNTS)},
        CASE WHEN i.isin IS NULL THEN NULL
            WHEN {" OR ".join(map(_differs, _COLUMNS))} THEN 1 ELSE 0 END AS differs
    FROM temp.authoritative a CROSS JOIN {LISTING} l ON l.id = a.listing_id
    LEFT JOIN {INSTRUMENT} i ON i.isin = a.isin
"""
# A cancellation carries nothing but ISIN and MIC: the instrument keeps the terms it last had.
_LAST_KNOWN = f"""
    UPDATE temp.said SET {", ".join(f"{column} = k.{column}" for column in _TEXTS)} FROM (
        SELECT b.isin, {", ".join(f"coalesce(v.{column}, '') AS {column}" for column in _TEXTS)},
            row_number() OVER (PARTITION BY v.isin
                ORDER BY f.sequence DESC, v.register, v.mic, v.source_position DESC) AS place
        FROM temp.said b CROSS JOIN {VERSION} v ON v.isin = b.isin
        CROSS JOIN {FILE} f ON f.id = v.source_file_id
        WHERE b.status = 'cancelled' AND v.status <> 'cancelled'
    ) AS k WHERE k.place = 1 AND k.isin = temp.said.isin
"""
_INSERT = f"""
    INSERT OR FAIL INTO {INSTRUMENT} (isin, {", ".join(_COLUMNS)})
    SELECT b.isin, {", ".join(f"b.{column}" for column in _COLUMNS)}
    FROM temp.said b WHERE b.differs IS NULL
"""
_INDEX_KNOWN = "CREATE INDEX temp.said_known ON said (isin) WHERE differs = 1"
_UPDATE = rewritten(
    INSTRUMENT,
    {column: f"b.{column}" for column in _COLUMNS},
    source=f"temp.said b WHERE b.isin = {INSTRUMENT}.isin AND b.differs = 1",
    where=f"{INSTRUMENT}.isin IN (SELECT isin FROM temp.said WHERE differs = 1)",
)
_NEW_CFI_CODES = f"""
    INSERT INTO {CFI_CODE} (code)
    SELECT cfi_code FROM (SELECT DISTINCT cfi_code FROM temp.said WHERE cfi_code <> '') AS said
    WHERE cfi_code NOT IN (SELECT code FROM {CFI_CODE})
"""
# What listings name now: the records that became one, and the versions that became one again.
_WRITTEN = """temp.outcome o CROSS JOIN stage.record r ON r.position = o.position
    WHERE o.outcome IN ('new', 'changed')"""
_RESTORED = f"""{LISTING} r
    WHERE r.id IN (SELECT listing_id FROM temp.superseded WHERE position IS NULL)"""
# Listings are added and never taken away, so counting the new ones is enough.
_ADDED = """
    (SELECT mic, sum(records) AS listings FROM temp.tally WHERE outcome = 'new' GROUP BY mic) AS a
"""


def _count_venues(register: Register) -> tuple[str, str]:
    """The statements that add new listings to the counts of their venues."""
    own = register.counted_in
    counted = ", ".join("listings" if column == own else "0" for column in _COUNTS)
    return (
        f"""UPDATE {LISTED_VENUE} SET listings = {LISTED_VENUE}.listings + a.listings,
            {own} = {LISTED_VENUE}.{own} + a.listings
            FROM {_ADDED} WHERE a.mic = {LISTED_VENUE}.mic""",
        f"""INSERT INTO {LISTED_VENUE} (mic, listings, {", ".join(_COUNTS)})
            SELECT mic, listings, {counted} FROM {_ADDED}
            WHERE a.mic NOT IN (SELECT mic FROM {LISTED_VENUE})""",
    )


_DELETE = f"""
    DELETE FROM {INSTRUMENT} WHERE isin IN (SELECT isin FROM temp.changed)
    AND NOT EXISTS (SELECT 1 FROM {LISTING} l WHERE l.isin = {INSTRUMENT}.isin)
"""


@dataclasses.dataclass(frozen=True)
class Before:
    """The last rows that were there before a merge, by their keys."""

    listing: int
    version: int


@contextmanager
def deriving_anew(cursor: CursorWrapper, isins: list[str]) -> Iterator[None]:
    """Listings of these instruments are deleted inside: then derive them anew; without any they go too."""
    _begin(cursor)
    rows = [(isin, key_of(isin)) for isin in isins]
    cursor.executemany("INSERT INTO temp.changed (isin, isin_key) VALUES (%s, %s)", rows)
    all_listings = f"{LISTING} r WHERE r.isin IN (SELECT isin FROM temp.changed)"
    underlyings.note(cursor, all_listings, now=False)
    yield
    underlyings.note(cursor, all_listings, now=True)
    _derive(cursor, listed="1", derived=False)
    cursor.execute(_DELETE)


def derive(cursor: CursorWrapper, register: Register, *, before: Before) -> None:
    """Derive anew the instruments of the records that changed something (`temp.outcome`), and of the
    listings that were dropped (`temp.dropping`).

    And note their underlyings, and the CFI codes and venues that are new, these in the counts of
    `register`, and index names and codes.
    """
    _begin(cursor)
    cursor.execute(_CHANGED)
    for rows, now in (
        (_WRITTEN, True),
        (_RESTORED, True),
        (f"{VERSION} r WHERE r.id > {before.version}", False),
    ):
        underlyings.note(cursor, rows, now=now)
    _derive(cursor, listed=f"l.id <= {before.listing}", derived=True)
    for statement in (_NEW_CFI_CODES, *_count_venues(register)):
        cursor.execute(statement)
    _drop_temporary(cursor)


def _begin(cursor: CursorWrapper) -> None:
    _drop_temporary(cursor)
    cursor.execute(
        "CREATE TEMP TABLE changed (isin TEXT PRIMARY KEY, isin_key INTEGER) WITHOUT ROWID"
    )
    underlyings.begin(cursor)


def _derive(cursor: CursorWrapper, *, listed: str, derived: bool) -> None:
    for statement in (_AUTHORITATIVE, _RANKED, _SAID, _LAST_KNOWN):
        cursor.execute(statement)
    names.remember(cursor, listed=listed, derived=derived)
    for statement in (_INDEX_KNOWN, _UPDATE, _INSERT):
        cursor.execute(statement)
    names.index(cursor)
    underlyings.derive(cursor)


def _drop_temporary(cursor: CursorWrapper) -> None:
    for table in ("changed", "authoritative", "said"):
        cursor.execute(f"DROP TABLE IF EXISTS temp.{table}")
