"""The context of a merge: the file, the slice of it that is merged, and the connection.

A staged delta is merged in slices, each in a transaction of its own. So others do not wait long to write,
and what has been written but not yet copied into the database stays small, however long the file is.
ISINs do not depend on each other, and records that are merged again change nothing: if a load is killed
between two slices, the next one does the rest.
"""

import dataclasses
import datetime as dt

from django.db.backends.utils import CursorWrapper

from esma_files import kinds
from esma_files.models import EsmaFile
from instruments.models import Listing, ListingVersion, Register
from marketdata.common.errors import RetryableError
from marketdata.common.numbers import format_count

LISTING = Listing._meta.db_table
VERSION = ListingVersion._meta.db_table
FILE = EsmaFile._meta.db_table
# The kinds of files that repeat all cancelled records, as a list in SQL.
CANCELLATION_LISTS = ", ".join(f"'{code}'" for code in kinds.codes(kinds.Content.CANCELLED))

# In remarks, which are read in browsers and in terminals.
BACKFILL = "a backfill of the scope (in the admin, below Scopes, or `manage.py scope backfill`)"

_BELOW_ALL_ISINS, _ABOVE_ALL_ISINS = "", "~"


@dataclasses.dataclass(frozen=True)
class Slice:
    """The records of the ISINs above `after`, up to `last`."""

    after: str
    last: str


WHOLE = Slice(_BELOW_ALL_ISINS, _ABOVE_ALL_ISINS)


def slices_of(cursor: CursorWrapper, *, records: int) -> list[Slice]:
    """Divide the staged file into slices of so many records, in the order of ISINs.

    Records of one ISIN stay together, so a slice may be larger. There is at least one slice. The tables and
    their indexes are in this order too, or in runs of it, so that few of their pages are written for several
    slices.
    """
    slices: list[Slice] = []
    after = _BELOW_ALL_ISINS
    while last := _last_isin(cursor, after, records):
        slices.append(Slice(after, last))
        after = last
    return slices or [WHOLE]


def _last_isin(cursor: CursorWrapper, after: str, records: int) -> str | None:
    """Return the ISIN of the last of the next so many records, or None after the last record."""
    following = f"(SELECT isin FROM stage.record WHERE isin > %s ORDER BY isin LIMIT {records})"
    cursor.execute(f"SELECT max(isin) FROM {following} AS following", [after])
    (last,) = cursor.fetchone()
    return None if last is None else str(last)


# Positions in the staging file of records that were read again from later files begin here.
REREAD_FROM = 1 << 31


class LoadedMeanwhile(RetryableError):
    """Another process loaded a file that the load of this one had to know of. A new attempt will."""

    wait_seconds = 1


@dataclasses.dataclass(frozen=True)
class Replacement:
    """The records of older revisions that a republished file replaces, or of an interrupted merge of itself.

    They are in the staging tables `confirmed` and `withdrawn`: see republished.py, withdrawal.py.
    """

    older: list[int]  # keys of the older revisions
    # The day on which the new revision was created. None for an interrupted merge: then the records were
    # never known, and are not kept.
    known_from: dt.date | None
    confirmed: int  # number of records that the new revision repeats
    withdrawn: int  # number of the others
    unread: list[int]  # keys of later files that could not be read again
    prepared_at: dt.datetime

    @property
    def remarks(self) -> list[str]:
        """For the report of the run."""
        return [
            "It replaces an older revision of the same name: of the records that this published first, the"
            f" new one repeats {self.confirmed:,} and withdraws {self.withdrawn:,}.",
            *self.remarks_on_unread,
        ]

    @property
    def remarks_on_unread(self) -> list[str]:
        """About the later files that could not be read again, for the report of the run."""
        if not self.unread:
            return []
        return [
            f"{format_count(len(self.unread), 'later file')} may repeat a withdrawn record and could not be"
            f" read again: {BACKFILL} does so, and names those that are not stored."
        ]


@dataclasses.dataclass(frozen=True)
class MergeContext:
    """One slice of a staged file that is being merged, in one transaction."""

    cursor: CursorWrapper
    file: EsmaFile
    register: Register
    slice: Slice
    staged_columns: frozenset[str]  # columns of fields that have a value in some staged record
    change: int  # number of the change set, noted in every listing that is written
    last_listing_id: int  # the highest key before the merge
    last_version_id: int
    replacement: Replacement | None = None  # for a republished file

    @property
    def is_full_file(self) -> bool:
        return self.file.file_kind.is_full

    @property
    def is_cancellation_list(self) -> bool:
        return self.file.file_kind.content is kinds.Content.CANCELLED

    @property
    def staged_file_id(self) -> str:
        """SQL for the key of the file that a staged record `s` comes from."""
        return self._of_staged("source_file_id", str(self.file.pk))

    @property
    def staged_sequence(self) -> str:
        """SQL for the place of that file in publication order."""
        return self._of_staged("source_sequence", str(self.file.sequence))

    @property
    def staged_position(self) -> str:
        """SQL for the position of a staged record `s` in its file."""
        return self._of_staged("source_position", "s.position")

    @property
    def staged_is_list(self) -> str:
        """SQL: 1 where a staged record `s` is from a list of cancelled records, else 0."""
        return self._of_staged("source_is_list", str(int(self.is_cancellation_list)))

    @property
    def staged_known_from(self) -> str:
        """SQL for the day on which a staged record `s` became known; NULL for the day of its file."""
        return self._of_staged("known_from", "NULL")

    @property
    def staged_published_on(self) -> str:
        """SQL for the day of the file that a staged record `s` comes from."""
        if not self.replacement:
            return f"'{self.file.published_on}'"
        return f"(SELECT x.published_on FROM {FILE} x WHERE x.id = s.source_file_id)"

    def _of_staged(self, column: str, value: str) -> str:
        """Of a republished file, each staged record has these values: some are of later files."""
        return f"s.{column}" if self.replacement else value

    def execute(self, *statements: str) -> None:
        for statement in statements:
            self.cursor.execute(statement)

    def has_rows(self, source: str) -> bool:
        """Return whether `source`, what stands after FROM, has a row."""
        self.cursor.execute(f"SELECT 1 FROM {source} LIMIT 1")
        return self.cursor.fetchone() is not None

    def count(self, source: str) -> int:
        """Return the number of rows of `source`, what stands after FROM."""
        self.cursor.execute(f"SELECT count(*) FROM {source}")
        return int(self.cursor.fetchone()[0])


def highest_id(cursor: CursorWrapper, table: str) -> int:
    """Return the highest key in a table, 0 where it is empty."""
    cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")
    return int(cursor.fetchone()[0])
