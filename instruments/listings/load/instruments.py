"""The row of each instrument, derived from its listings: see `Instrument`."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.utils import CursorWrapper

from esma_files.models import EsmaFile
from instruments.isin import key_of
from instruments.listings.load import search_index, underlyings
from instruments.listings.search import NAMED, key_in_sql
from instruments.models import CfiCode, Instrument, ListedVenue, Listing, ListingVersion, Register
from instruments.staging.dialect import differ, rewritten

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
_DROPPING = (
    f"SELECT DISTINCT isin FROM {LISTING} WHERE id IN (SELECT listing_id FROM temp.dropping)"
)
# The instruments that more must be asked of. `isin_key` is the ISIN as a number, for the index of names:
# staging knows it of what was read.
_CHANGED_TABLE = """
    CREATE TEMP TABLE changed (isin TEXT PRIMARY KEY, isin_key INTEGER) WITHOUT ROWID
"""
_CHANGED = (
    """
    INSERT INTO temp.changed SELECT isin, max(isin_key) FROM temp.outcome o
    WHERE outcome <> 'unchanged'
        AND NOT EXISTS (SELECT 1 FROM temp.said b WHERE b.isin_key = o.isin_key)
    GROUP BY isin
    """,
    f"""
    INSERT INTO temp.changed SELECT d.isin, {key_in_sql("d.isin")}
    FROM ({_DROPPING}) AS d WHERE d.isin NOT IN (SELECT isin FROM temp.changed)
    """,
)
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
# Those with one listing need no ranking.
_RANKED = f"""
    UPDATE temp.authoritative SET listing_id = (
        SELECT l.id FROM {LISTING} l WHERE l.isin = temp.authoritative.isin
        ORDER BY {_AUTHORITY} LIMIT 1)
    WHERE listing_count > 1
"""


_LENGTHS = {field.column: field.max_length for field in Instrument._meta.fields}
# What is to be said of each instrument, and the names that it had. `differs` from what is said already: NULL
# of a new one, 2 where that changes its codes in the index of names, 1 where its names only, 0 nowhere.
_SAID_TABLE = f"""
    CREATE TEMP TABLE said (isin_key INTEGER PRIMARY KEY, isin TEXT,
        {", ".join(f"{c} VARCHAR({_LENGTHS[c]})" for c in _TEXTS)},
        status TEXT, mic TEXT, register TEXT, listing_count INTEGER,
        {", ".join(f"{column} INTEGER" for column in _COUNTS)},
        {", ".join(f"{c}_was VARCHAR({_LENGTHS[c]})" for c in NAMED)}, differs INTEGER)
"""


def _say(row: str, counts: dict[str, str], *, register: str, source: str, where: str) -> str:
    """Into `temp.said` what `row` says of the instruments that `source` leads to, known ones as `i`."""
    said = {column: f"{row}.{column}" for column in _COLUMNS} | counts | {"register": register}
    differences = {
        column: differ(f"coalesce({value}, '')", f"i.{column}")
        if column in _TEXTS
        else f"coalesce({value}, 0) <> coalesce(i.{column}, 0)"
        if column in counts
        else f"{value} <> i.{column}"
        for column, value in said.items()
    }
    in_names = " OR ".join(differences.pop(column) for column in NAMED)
    values = [f"coalesce({v}, '')" if c in _TEXTS else v for c, v in said.items()]
    return f"""
        INSERT INTO temp.said (isin_key, isin, {", ".join((*said, *(f"{c}_was" for c in NAMED)))}, differs)
        SELECT c.isin_key, c.isin, {", ".join((*values, *(f"i.{c}" for c in NAMED)))},
            CASE WHEN i.isin IS NULL THEN NULL WHEN {" OR ".join(differences.values())} THEN 2
                WHEN {in_names} THEN 1 ELSE 0 END
        FROM {source} LEFT JOIN {INSTRUMENT} i ON i.isin = c.isin WHERE {where}
    """


def _say_of_one(register: Register) -> str:
    """Of instruments whose only listing has just been written, as most have: its record is at hand."""
    counts = {column: "1" if column == register.counted_in else "NULL" for column in _COUNTS}
    return _say(
        "s",
        {"listing_count": "1", **counts},
        register=f"'{register}'",
        source="temp.outcome c CROSS JOIN stage.record s ON s.position = c.position",
        where=f"""(
            (c.outcome = 'new' AND i.isin IS NULL)
            OR (c.outcome = 'changed' AND i.listing_count = 1 AND EXISTS (
                SELECT 1 FROM temp.superseded u
                WHERE u.listing_id = c.listing_id AND u.position = c.position))
        ) AND NOT EXISTS (
            SELECT 1 FROM temp.outcome o
            WHERE o.isin = c.isin AND o.position <> c.position AND o.outcome <> 'unchanged')
        AND c.isin NOT IN ({_DROPPING})""",
    )


_SAY_OF_MANY = _say(
    "l",
    {column: f"c.{column}" for column in ("listing_count", *_COUNTS)},
    register="l.register",
    source=f"temp.authoritative c CROSS JOIN {LISTING} l ON l.id = c.listing_id",
    where="1 = 1",
)
# A cancellation carries nothing but ISIN and MIC, or what was cancelled: the instrument keeps the terms it
# last had.
_LAST_KNOWN = f"""
    UPDATE temp.said SET {", ".join(f"{column} = k.{column}" for column in _TEXTS)},
        differs = CASE WHEN temp.said.differs IS NULL THEN NULL ELSE 2 END
    FROM (
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
_INDEX_KNOWN = "CREATE INDEX temp.said_known ON said (isin) WHERE differs > 0"
_UPDATE = rewritten(
    INSTRUMENT,
    {column: f"b.{column}" for column in _COLUMNS},
    source=f"temp.said b WHERE b.isin = {INSTRUMENT}.isin AND b.differs > 0",
    where=f"{INSTRUMENT}.isin IN (SELECT isin FROM temp.said WHERE differs > 0)",
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
    for statement in (_say_of_one(register), *_CHANGED):
        cursor.execute(statement)
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
    for table in (_CHANGED_TABLE, _SAID_TABLE):
        cursor.execute(table)
    underlyings.begin(cursor)


def _derive(cursor: CursorWrapper, *, listed: str, derived: bool) -> None:
    for statement in (_AUTHORITATIVE, _RANKED, _SAY_OF_MANY, _LAST_KNOWN):
        cursor.execute(statement)
    search_index.remember(cursor, listed=listed, derived=derived)
    for statement in (_INDEX_KNOWN, _UPDATE, _INSERT):
        cursor.execute(statement)
    search_index.index(cursor)
    underlyings.derive(cursor)


def _drop_temporary(cursor: CursorWrapper) -> None:
    for table in ("changed", "authoritative", "said"):
        cursor.execute(f"DROP TABLE IF EXISTS temp.{table}")
