"""What a merge says to the database, of records that need no timeline: one statement for all of a file."""

import dataclasses
from collections.abc import Iterable

from esma_files import kinds
from esma_files.models import EsmaFile
from instruments.listings.fields import FIELDS
from instruments.listings.load import groups
from instruments.models import Listing, ListingVersion
from instruments.staging.dialect import day_before, rewritten

LISTING = Listing._meta.db_table
VERSION = ListingVersion._meta.db_table
FILE = EsmaFile._meta.db_table
# The kinds of files that list cancelled records over and over, in SQL.
LISTS = ", ".join(f"'{code}'" for code in kinds.codes(kinds.Content.CANCELLED))

# In every table of records, and in staging.
_SAID = (*(field.column for field in FIELDS), *groups.COLUMNS)
_COMMON = ("status", "valid_from", "record_kind", "fingerprint", *_SAID)
_OWN = ("register", "source_file_id", "source_position")
TARGET = (*_OWN, *_COMMON)
KEY = ("isin", "mic", "register")

# A mark of ours, and not what the register said.
PUBLISHED_STATUS = "CASE l.status WHEN 'dropped' THEN 'active' ELSE l.status END"

OUTCOME = """
    CREATE TEMP TABLE outcome (
        position INTEGER NOT NULL, isin TEXT NOT NULL, mic TEXT NOT NULL, ends INTEGER,
        listing_id INTEGER, outcome TEXT, isin_key INTEGER, valid_from TEXT,
        PRIMARY KEY (isin, mic, position)) WITHOUT ROWID
"""
# Listings of which the record is the newest no more: the staged one that is (NULL: a version is), and
# until when theirs was valid (NULL: it is there twice, and goes).
SUPERSEDED = """
    CREATE TEMP TABLE superseded (listing_id INTEGER PRIMARY KEY, position INTEGER, valid_to TEXT)
"""


@dataclasses.dataclass(frozen=True)
class Statements:
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
        return listed((*_OWN, *self.there))

    @property
    def from_stage(self) -> str:
        """The columns of `target`, read from a staged record `s`."""
        return f"'{self.register}', {self.file_id}, s.position, {listed(self.there, 's')}"

    @property
    def outcome(self) -> str:
        """Each staged record of a slice is `new`, `unchanged`, `changed`, or for the timeline (NULL).

        Parameters: the slice's bounds, twice.
        """
        same_day = "s.status = 'cancelled'" if self.lists else "l.valid_from = s.valid_from"
        return f"""
            INSERT INTO temp.outcome
                (position, isin, isin_key, mic, valid_from, ends, listing_id, outcome)
            SELECT s.position, s.isin, s.isin_key, s.mic, s.valid_from,
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
            LEFT JOIN (
                SELECT isin, mic FROM stage.record WHERE isin > %s AND isin <= %s
                GROUP BY isin, mic HAVING count(*) > 1
            ) AS twice ON twice.isin = s.isin AND twice.mic = s.mic
            WHERE s.isin > %s AND s.isin <= %s
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
            f.sequence < {self.sequence} AND f.kind NOT IN ({LISTS})
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
            SELECT o.listing_id, o.position, {day_before("o.valid_from")} FROM temp.outcome o
            WHERE o.outcome = 'changed' ORDER BY o.listing_id
        """

    @property
    def rewrite(self) -> list[str]:
        """The newest records into the listings that there are, and what these said into versions."""
        # Not the key: an index is written anew for each column that is assigned, whatever its value.
        newest = {column: f"s.{column}" for column in _COMMON if column not in KEY} | {
            "source_position": "s.position",
            "source_file_id": str(self.file_id),
            "change_id": str(self.change),
            "dropped_by_id": "NULL",
        }
        return [
            f"""INSERT OR FAIL INTO {VERSION} ({listed(TARGET)}, valid_to) SELECT {_AS_PUBLISHED}, u.valid_to
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


def listed(columns: tuple[str, ...], alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + column for column in columns)


_AS_PUBLISHED = listed(TARGET, "l").replace("l.status", PUBLISHED_STATUS)


def assigned(columns: Iterable[str], alias: str) -> str:
    return ", ".join(f"{column} = {alias}.{column}" for column in columns)
