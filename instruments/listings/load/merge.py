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

from django.db.backends.utils import CursorWrapper

from esma_files.kinds import Content
from esma_files.models import EsmaFile
from instruments.listings.load import changes, drops, full_sets, instruments, timeline
from instruments.listings.load.slices import Slice
from instruments.listings.load.statements import LISTING, OUTCOME, SUPERSEDED, VERSION, Statements
from instruments.models import Register

# What became of the records of each venue.
_TALLY = """
    CREATE TEMP TABLE tally AS SELECT mic, outcome, ends, count(*) AS records
    FROM temp.outcome GROUP BY mic, outcome, ends
"""


@dataclasses.dataclass(frozen=True)
class Counts:
    """What became of the records of a file, rejected ones left out; `dropped` are in no record of it."""

    new: int = 0
    changed: int = 0
    ended: int = 0
    dropped: int = 0
    late: int = 0
    unchanged: int = 0


def merge(
    cursor: CursorWrapper,
    file: EsmaFile,
    slice_: Slice,
    *,
    register: str,
    columns: frozenset[str],
) -> Counts:
    """Merge a slice of the staging file attached as `stage`, which holds the records of `file`.

    `columns` are those of its fields that have a value in any record.
    """
    change, lists = changes.begin(), file.file_kind.content is Content.CANCELLED
    statements = Statements(file.pk, file.sequence, lists, register, columns, change)
    open_ones = timeline.Timeline(statements)
    _drop_temporary(cursor)
    before = instruments.Before(listing=_last(cursor, LISTING), version=_last(cursor, VERSION))
    _execute(cursor, OUTCOME, SUPERSEDED)
    cursor.execute(statements.outcome, [slice_.after, slice_.last] * 2)
    _execute(cursor, statements.supersede, statements.insert_new)
    is_full = file.file_kind.is_full
    touched = "SELECT isin, mic FROM temp.outcome WHERE outcome IN ('new', 'changed')"
    compared, returned = full_sets.Compared(), 0
    laid_out = _any(cursor, "temp.outcome WHERE outcome IS NULL")
    if laid_out:
        _execute(cursor, open_ones.lay_out, *timeline.INDEXES, open_ones.supersede)
        touched += " UNION SELECT isin, mic FROM temp.timeline"
    if _any(cursor, "temp.superseded"):
        if is_full:
            compared = full_sets.compare(cursor)
        _execute(cursor, *statements.rewrite)
    if laid_out:
        _execute(cursor, *open_ones.rearrange, open_ones.settle)
        if is_full:
            returned = drops.take_back(cursor, file, change=change)
    _execute(cursor, _TALLY)
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


def _execute(cursor: CursorWrapper, *statements: str) -> None:
    for statement in statements:
        cursor.execute(statement)


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
