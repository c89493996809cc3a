"""A staging file into the tables: sets of rows, never one; the caller holds the transaction.

What the register says of a listing is the sequence of its distinct records, in publication order,
each at the place where it was first published. The last is the listing; each other one is a version,
valid until the day before the next one's `valid_from` (ESMA65-8-5014's rules 2 to 4 all come to this).
A list of cancelled records (FULCAN) may say for years what was said once: what it repeats stands
before the cancellation that it repeats, so that it cancels nothing that was reported anew since.
So the tables are a function of the *set* of files loaded: the order of loading does not matter, and
a file loaded twice changes nothing.

Most records are new, the same as last time, or say something that was never said, after everything
else: these are settled by one comparison (`outcome`). For the others the sequence is laid out anew
(`timeline`), and rows move only where it says so.

Everything is done in the order in which the rows stand, of listings or of ISINs: a page of a table or
an index that does not fit the cache is read and written once a file, and not once a record.
"""

import dataclasses
from collections.abc import Iterable

from django.db.backends.utils import CursorWrapper

from esma_files.models import EsmaFile
from esma_files.names import Kind
from instruments.loading import changes, drops, full_sets, groups, instruments
from instruments.loading.dialect import day_before, rewritten
from instruments.models import Listing, ListingVersion, Register
from instruments.records import FIELDS

LISTING = Listing._meta.db_table
VERSION = ListingVersion._meta.db_table
FILE = EsmaFile._meta.db_table

# In every table of records, and in staging.
_SAID = (*(field.column for field in FIELDS), *groups.COLUMNS)
_COMMON = ("status", "valid_from", "record_kind", "fingerprint", *_SAID)
_OWN = ("register", "source_file_id", "source_position")
_TARGET = (*_OWN, *_COMMON)
_KEY = ("isin", "mic", "register")

# A mark of ours, and not what the register said.
_PUBLISHED_STATUS = "CASE l.status WHEN 'dropped' THEN 'active' ELSE l.status END"

_OUTCOME = """
    CREATE TEMP TABLE outcome (
        position INTEGER, isin TEXT, mic TEXT, ends INTEGER, listing_id INTEGER,
        outcome TEXT, isin_key INTEGER, PRIMARY KEY (isin, mic, position)) WITHOUT ROWID
"""
# What became of the records of each venue.
_TALLY = """
    CREATE TEMP TABLE tally AS SELECT mic, outcome, ends, count(*) AS records
    FROM temp.outcome GROUP BY mic, outcome, ends
"""
# Listings of which the record is the newest no more: the staged one that is (NULL: a version is), and
# until when theirs was valid (NULL: it is there twice, and goes).
_SUPERSEDED = """
    CREATE TEMP TABLE superseded (listing_id INTEGER PRIMARY KEY, position INTEGER, valid_to TEXT)
"""


@dataclasses.dataclass(frozen=True)
class Counts:
    """What became of the records of a file, rejected ones left out; `dropped` are in no record of it."""

    new: int
    changed: int
    ended: int
    dropped: int
    late: int
    unchanged: int


@dataclasses.dataclass(frozen=True)
class _Merge:
    """The statements for one file. Codes and numbers of our own are written into them."""

    file_id: int
    sequence: int
    lists: bool  # it is a list of cancelled records
    register: str
    staged: frozenset[str]  # the fields that have a value in any staged record
    change: int  # the number of the change set: in every listing that is written

    @property
    def there(self) -> tuple[str, ...]:
        """The columns worth inserting: the others are NULL anyway."""
        return tuple(column for column in _COMMON if column in self.staged or column not in _SAID)

    @property
    def target(self) -> str:
        return _list((*_OWN, *self.there))

    @property
    def from_stage(self) -> str:
        """The columns of `target`, read from a staged record `s`."""
        return f"'{self.register}', {self.file_id}, s.position, {_list(self.there, 's')}"

    @property
    def outcome(self) -> str:
        """Each staged record is `new`, `unchanged`, `changed`, or for the timeline (NULL)."""
        same_day = "s.status = 'cancelled'" if self.lists else "l.valid_from = s.valid_from"
        return f"""
            INSERT INTO temp.outcome
                (position, isin, isin_key, mic, ends, listing_id, outcome)
            SELECT s.position, s.isin, s.isin_key, s.mic,
                CASE WHEN s.status = 'active' THEN 0 ELSE 1 END, l.id,
                CASE
                WHEN twice.isin IS NOT NULL THEN NULL
                WHEN l.id IS NULL THEN 'new'
                WHEN l.fingerprint = s.fingerprint AND {same_day}
                    AND l.status = s.status AND f.sequence <= {self.sequence} THEN 'unchanged'
                WHEN {self.follows} THEN 'changed'
                END
            FROM stage.record s
            LEFT JOIN {LISTING} l
                ON l.isin = s.isin AND l.mic = s.mic AND l.register = '{self.register}'
            LEFT JOIN {FILE} f ON f.id = l.source_file_id
            LEFT JOIN (SELECT isin, mic FROM stage.record GROUP BY isin, mic HAVING count(*) > 1)
                AS twice ON twice.isin = s.isin AND twice.mic = s.mic
            ORDER BY s.isin, s.mic
        """

    @property
    def follows(self) -> str:
        """Whether a record comes after all that was said of its listing, and was never said itself.

        Cancellations, and what was dropped, go through the timeline, which knows more of them.
        """
        if self.lists:
            return "1 = 0"
        return f"""
            f.sequence < {self.sequence} AND f.kind <> '{Kind.FULCAN}'
            AND l.status <> 'dropped' AND s.status <> 'cancelled' AND NOT EXISTS (
                SELECT 1 FROM {VERSION} v
                WHERE v.isin = s.isin AND v.mic = s.mic AND v.register = '{self.register}'
                AND (v.fingerprint = s.fingerprint OR v.status = 'cancelled'))
        """

    @property
    def insert_new(self) -> str:
        return f"""
            INSERT OR FAIL INTO {LISTING} ({self.target}, change_id) SELECT {self.from_stage}, {self.change}
            FROM temp.outcome o CROSS JOIN stage.record s ON s.position = o.position
            WHERE o.outcome = 'new'
        """

    @property
    def supersede(self) -> str:
        """The listings whose record is followed by a staged one, with nothing between."""
        return f"""
            INSERT INTO temp.superseded (listing_id, position, valid_to)
            SELECT o.listing_id, o.position, {day_before("s.valid_from")}
            FROM temp.outcome o JOIN stage.record s ON s.position = o.position
            WHERE o.outcome = 'changed' ORDER BY o.listing_id
        """

    @property
    def timeline(self) -> str:
        """Every record ever read of the listings in question, in publication order.

        `kept` where it is the first of its kind; `last` where it is the last kept; `valid_to` from
        the next kept one. `origin` says which table it is in, `row_id` which row; `also` is
        'listing' where the listing says the same ('listing' < 'staged' < 'version').
        """
        same = "isin, mic, status, fingerprint, CASE WHEN lists = 1 THEN NULL ELSE valid_from END"
        published = "sequence, position, fingerprint, place"
        order = f"stands, CASE WHEN stands < sequence THEN 0 ELSE 1 END, {published}"
        lists = f"CASE WHEN f.kind = '{Kind.FULCAN}' THEN 1 ELSE 0 END"
        return f"""
            CREATE TEMP TABLE timeline AS
            WITH said AS (
                SELECT l.isin, l.mic, {_PUBLISHED_STATUS} AS status, l.valid_from, l.fingerprint,
                    f.sequence, l.source_position AS position, {lists} AS lists,
                    'listing' AS origin, l.id AS row_id, 0 AS place
                FROM {LISTING} l JOIN {FILE} f ON f.id = l.source_file_id
                WHERE l.id IN (SELECT listing_id FROM temp.outcome WHERE outcome IS NULL)
                UNION ALL
                SELECT v.isin, v.mic, v.status, v.valid_from, v.fingerprint,
                    f.sequence, v.source_position, {lists}, 'version', v.id, 0
                FROM (SELECT DISTINCT isin, mic FROM temp.outcome WHERE outcome IS NULL) k
                JOIN {VERSION} v
                    ON v.isin = k.isin AND v.mic = k.mic AND v.register = '{self.register}'
                JOIN {FILE} f ON f.id = v.source_file_id
                UNION ALL
                SELECT s.isin, s.mic, s.status, s.valid_from, s.fingerprint,
                    {self.sequence}, s.position, {int(self.lists)}, 'staged', s.position, 1
                FROM stage.record s JOIN temp.outcome o ON o.position = s.position
                WHERE o.outcome IS NULL
            ), placed AS (
                SELECT said.*, CASE WHEN lists = 0 THEN sequence ELSE coalesce(
                    max(CASE WHEN status = 'cancelled' AND lists = 0 THEN sequence END) OVER (
                        PARTITION BY isin, mic ORDER BY {published}
                        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
                    min(CASE WHEN lists = 1 THEN sequence END) OVER (PARTITION BY isin, mic))
                    END AS stands
                FROM said
            ), numbered AS (
                SELECT placed.*,
                    CASE WHEN lists = 1 AND sequence > min(
                        CASE WHEN status = 'cancelled' THEN sequence END
                    ) OVER (PARTITION BY isin, mic, fingerprint) THEN 2
                    ELSE row_number() OVER (PARTITION BY {same} ORDER BY {published}) END AS repeat,
                    min(origin) OVER (PARTITION BY {same}) AS also
                FROM placed
            ), ordered AS (
                SELECT numbered.*,
                    lead(valid_from) OVER (PARTITION BY isin, mic ORDER BY {order}) AS next_from
                FROM numbered WHERE repeat = 1
            ), made AS (
                SELECT isin, mic, origin, also, row_id, 1 AS kept,
                    CASE WHEN next_from IS NULL THEN 1 ELSE 0 END AS last,
                    {day_before("next_from")} AS valid_to
                FROM ordered
                UNION ALL
                SELECT isin, mic, origin, also, row_id, 0, 0, NULL FROM numbered WHERE repeat > 1
            ) SELECT * FROM made
        """

    @property
    def supersede_by_timeline(self) -> str:
        return """
            INSERT INTO temp.superseded (listing_id, position, valid_to)
            SELECT t.row_id, n.row_id, CASE WHEN t.kept = 1 THEN t.valid_to END
            FROM temp.timeline t LEFT JOIN temp.timeline n
                ON n.isin = t.isin AND n.mic = t.mic AND n.origin = 'staged' AND n.last = 1
            WHERE t.origin = 'listing' AND t.last = 0
        """

    @property
    def rewrite(self) -> list[str]:
        """The newest records into the listings that there are, and what these said into versions."""
        # Not the key: an index is written anew for each column that is assigned, whatever its value.
        newest = {column: f"s.{column}" for column in _COMMON if column not in _KEY} | {
            "source_position": "s.position",
            "source_file_id": str(self.file_id),
            "change_id": str(self.change),
            "dropped_by_id": "NULL",
        }
        return [
            f"""INSERT OR FAIL INTO {VERSION} ({_list(_TARGET)}, valid_to) SELECT {_AS_PUBLISHED}, u.valid_to
                FROM temp.superseded u CROSS JOIN {LISTING} l ON l.id = u.listing_id
                WHERE u.valid_to IS NOT NULL""",
            rewritten(
                LISTING,
                newest,
                source=f"""temp.superseded u JOIN stage.record s ON s.position = u.position
                    WHERE u.listing_id = {LISTING}.id""",
                where=f"""{LISTING}.id IN
                    (SELECT listing_id FROM temp.superseded WHERE position IS NOT NULL)""",
            ),
        ]

    @property
    def rearrange(self) -> list[str]:
        """Bring both tables to what the timeline says besides. Only rows that differ are written."""
        staged = """FROM stage.record s
                JOIN temp.timeline t ON t.origin = 'staged' AND t.row_id = s.position"""
        return [
            # Records that come late, below a newer one.
            f"""INSERT OR FAIL INTO {VERSION} ({self.target}, valid_to) SELECT {self.from_stage}, t.valid_to
                {staged} WHERE t.kept = 1 AND t.last = 0""",
            f"""UPDATE {VERSION} SET valid_to = t.valid_to FROM temp.timeline t
                WHERE t.origin = 'version' AND t.row_id = {VERSION}.id
                AND t.kept = 1 AND t.last = 0 AND t.valid_to <> {VERSION}.valid_to""",
            # The newest record of a listing that is there more than once, and was not there before.
            f"""INSERT OR FAIL INTO {LISTING} ({self.target}, change_id)
                SELECT {self.from_stage}, {self.change}
                {staged} JOIN temp.outcome o ON o.position = s.position
                WHERE t.last = 1 AND o.listing_id IS NULL""",
            # A version that is the newest after all: what superseded it was first published before.
            f"""UPDATE {LISTING} SET change_id = {self.change}, dropped_by_id = NULL,
                {_assign((c for c in _TARGET if c not in _KEY), "v")}
                FROM {VERSION} v JOIN temp.timeline t ON t.origin = 'version' AND t.row_id = v.id
                WHERE t.last = 1 AND {LISTING}.isin = t.isin AND {LISTING}.mic = t.mic
                AND {LISTING}.register = '{self.register}'""",
            f"""DELETE FROM {VERSION} WHERE id IN (SELECT row_id FROM temp.timeline
                WHERE origin = 'version' AND (kept = 0 OR last = 1))""",
        ]

    @property
    def settle(self) -> str:
        """Name the outcome of the records that went through the timeline."""
        return """
            UPDATE temp.outcome SET outcome = CASE
                WHEN t.kept = 0 THEN 'unchanged'
                WHEN t.last = 0 THEN 'late'
                WHEN temp.outcome.listing_id IS NULL THEN 'new'
                WHEN t.also = 'listing' THEN 'unchanged'  -- as it was, but published before that
                ELSE 'changed' END
            FROM temp.timeline t
            WHERE temp.outcome.outcome IS NULL AND t.origin = 'staged'
                AND t.row_id = temp.outcome.position
        """


def merge(
    cursor: CursorWrapper, file: EsmaFile, *, register: str, columns: frozenset[str]
) -> Counts:
    """Merge the staging file attached as `stage`, which holds the records of `file`.

    `columns` are those of its fields that have a value in any record.
    """
    change, lists = changes.begin(), Kind(file.kind) is Kind.FULCAN
    statements = _Merge(file.pk, file.sequence, lists, register, columns, change)
    _drop_temporary(cursor)
    before = instruments.Before(listing=_last(cursor, LISTING), version=_last(cursor, VERSION))
    for statement in (_OUTCOME, _SUPERSEDED, statements.outcome, statements.supersede):
        cursor.execute(statement)
    cursor.execute(statements.insert_new)
    is_full = Kind(file.kind) is Kind.FULINS
    touched = "SELECT isin, mic FROM temp.outcome WHERE outcome IN ('new', 'changed')"
    compared, returned = full_sets.Compared(), 0
    laid_out = _any(cursor, "temp.outcome WHERE outcome IS NULL")
    if laid_out:
        cursor.execute(statements.timeline)
        cursor.execute("CREATE INDEX temp.timeline_row ON timeline (origin, row_id)")
        cursor.execute("CREATE INDEX temp.timeline_key ON timeline (isin, mic)")
        cursor.execute(statements.supersede_by_timeline)
        touched += " UNION SELECT isin, mic FROM temp.timeline"
    if _any(cursor, "temp.superseded"):
        if is_full:
            compared = full_sets.compare(cursor)
        for statement in statements.rewrite:
            cursor.execute(statement)
    if laid_out:
        for statement in statements.rearrange:
            cursor.execute(statement)
        cursor.execute(statements.settle)
        if is_full:
            returned = drops.take_back(cursor, file, change=change)
    cursor.execute(_TALLY)
    full_file = None
    if is_full:
        full_file = full_sets.note(
            cursor,
            file,
            register=register,
            known_until=before.listing,
            compared=compared,
            returned=returned,
        )
    dropped = drops.settle(cursor, file, register=register, full_file=full_file, touched=touched)
    drops.number(cursor, change)
    instruments.derive(cursor, Register(register), before=before)
    counts = _count(cursor, dropped=dropped)
    _drop_temporary(cursor)
    changes.end(change)
    return counts


def _drop_temporary(cursor: CursorWrapper) -> None:
    for table in ("outcome", "superseded", "timeline", "tally", "dropping"):
        cursor.execute(f"DROP TABLE IF EXISTS temp.{table}")


def _last(cursor: CursorWrapper, table: str) -> int:
    cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")
    return int(cursor.fetchone()[0])


def _any(cursor: CursorWrapper, of: str) -> bool:
    cursor.execute(f"SELECT 1 FROM {of} LIMIT 1")
    return cursor.fetchone() is not None


def _count(cursor: CursorWrapper, *, dropped: int) -> Counts:
    """A record that ends its listing counts as ended, whether the listing was known or not."""
    became = "CASE WHEN ends = 1 AND outcome IN ('new', 'changed') THEN 'ended' ELSE outcome END"
    cursor.execute(f"SELECT {became}, sum(records) FROM temp.tally GROUP BY {became}")
    found = {**dict(cursor.fetchall()), "dropped": dropped}
    return Counts(**{name.name: found.get(name.name, 0) for name in dataclasses.fields(Counts)})


def _list(columns: tuple[str, ...], alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + column for column in columns)


_AS_PUBLISHED = _list(_TARGET, "l").replace("l.status", _PUBLISHED_STATUS)


def _assign(columns: Iterable[str], alias: str) -> str:
    return ", ".join(f"{column} = {alias}.{column}" for column in columns)
