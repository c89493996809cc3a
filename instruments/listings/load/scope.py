"""What of a file is in scope: by what each record says, or because its listing is followed.

A listing is followed from its first record in scope on: whatever is said of it later is taken, also where
the record itself does not say what the scope asks for (a cancellation is ISIN and MIC), or says that it
is out of scope now. Only the tables know that, so records that do not say it themselves are named in
`outside`, and settled by the merge. All of a delta are staged, and of a full file those of listings that
the tables have while it is staged.
"""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.db.backends.utils import CursorWrapper

from esma_files.kinds import KINDS
from esma_files.models import EsmaFile
from esma_files.names import PARTS
from esma_files.parsing.reader import Batch
from instruments.listings.fields import BY_COLUMN, RecordKind
from instruments.listings.models.scope import COLUMNS
from instruments.models import Listing, ListingVersion, Register, Scope

LISTING = Listing._meta.db_table
VERSION = ListingVersion._meta.db_table
FILE = EsmaFile._meta.db_table

# The kinds whose records go into the tables of listings.
INSTRUMENT_FILES = [kind.code for kind in KINDS.values() if kind.has_scope]
SCHEMA = "CREATE TABLE outside (position INTEGER PRIMARY KEY, isin TEXT, mic TEXT);"


def says(scope: Scope, batch: Batch) -> np.ndarray:
    """Which records of a batch say themselves that they are in scope.

    What a record does not say does not rule it out; of a cancellation it does, for what it cancels is
    followed, or was never loaded.
    """
    if scope.is_everything:
        return np.ones(len(batch.rows), dtype=bool)
    listed = _among(_texts(batch, "isin"), scope.isins, absent=False)
    if not scope.criteria:
        return listed
    lenient = batch.kind != RecordKind.CANCELLED
    met = np.ones(len(batch.rows), dtype=bool)
    for kind, wanted in scope.criteria.items():
        texts = _texts(batch, COLUMNS[kind])
        if kind == "categories":
            texts = pc.utf8_slice_codeunits(texts, 0, 1)
        met &= _among(texts, wanted, absent=lenient)
    both: np.ndarray = met | listed
    return both


def _texts(batch: Batch, column: str) -> pa.Array:
    return batch.rows.column(BY_COLUMN[column].path)


def _among(texts: pa.Array, wanted: list[str], *, absent: bool) -> np.ndarray:
    found = pc.is_in(texts, pa.array(wanted, pa.string()))
    mask: np.ndarray = pc.if_else(texts.is_valid(), found, absent).to_numpy(zero_copy_only=False)
    return mask


def keys(batch: Batch, mask: np.ndarray) -> pa.RecordBatch:
    """Rows of `outside`, for these records of a batch."""
    texts = {name: _texts(batch, name).filter(pa.array(mask)) for name in ("isin", "mic")}
    positions = pa.array(batch.positions[mask] + 1)
    return pa.RecordBatch.from_pydict({"position": positions, **texts})


def filtered(batch: Batch, inside: np.ndarray) -> Batch:
    """The batch without the records that are out of scope."""
    rows = batch.rows.filter(pa.array(inside))
    return Batch(batch.kind, batch.group, rows, batch.positions[inside], batch.begins[inside])


@dataclasses.dataclass(frozen=True)
class Settled:
    """What the scope has come to: records out of it, records rejected, and whether some were missed.

    Missed is what is followed and was not staged: the file that it is followed from was merged after.
    """

    outside: int
    rejected: int
    missed: bool


def settle(cursor: CursorWrapper, file: EsmaFile) -> Settled:
    """Take out of the staging file what is out of scope.

    In the transaction of the merge, before it: no other file can be merged in between.
    """
    cursor.execute("SELECT 1 FROM stage.outside LIMIT 1")
    missed = _take_out(cursor, file) if cursor.fetchone() else False
    cursor.execute("SELECT count(*) FROM stage.outside")
    (outside,) = cursor.fetchone()
    cursor.execute("SELECT count(DISTINCT position) FROM stage.rejected")
    (rejected,) = cursor.fetchone()
    return Settled(outside, rejected, missed)


def _take_out(cursor: CursorWrapper, file: EsmaFile) -> bool:
    """Strike what is followed off `outside`, and what is left in it off the staged records.

    Returns whether something is followed that was not staged.
    """
    register = Register.of_dataset(file.dataset)
    cursor.execute("DELETE FROM stage.outside WHERE position IN (SELECT position FROM stage.known)")
    earlier = " OR ".join(
        f"""EXISTS (SELECT 1 FROM {table} t JOIN {FILE} f ON f.id = t.source_file_id
            WHERE t.isin = o.isin AND t.mic = o.mic AND t.register = '{register}'
            AND (f.sequence < {file.sequence}
                OR (f.sequence = {file.sequence} AND t.source_position < o.position)))"""
        for table in (LISTING, VERSION)
    )
    cursor.execute("DROP TABLE IF EXISTS temp.followed")
    cursor.execute(
        f"""CREATE TEMP TABLE followed AS
            SELECT o.position FROM stage.outside o WHERE o.isin IS NOT NULL AND ({earlier}
            OR EXISTS (SELECT 1 FROM stage.record r WHERE r.isin = o.isin AND r.mic = o.mic
                AND r.position < o.position
                AND r.position NOT IN (SELECT position FROM stage.outside)))"""
    )
    staged = "SELECT position FROM stage.record UNION SELECT position FROM stage.rejected"
    cursor.execute(f"SELECT 1 FROM temp.followed WHERE position NOT IN ({staged}) LIMIT 1")
    missed = cursor.fetchone() is not None
    cursor.execute(
        f"""DELETE FROM stage.outside WHERE position IN (
            SELECT position FROM temp.followed WHERE position IN ({staged}))"""
    )
    cursor.execute("DROP TABLE temp.followed")
    for table in ("record", "rejected"):
        cursor.execute(
            f"DELETE FROM stage.{table} WHERE position IN (SELECT position FROM stage.outside)"
        )
    return missed


def covered_before(file: EsmaFile, scope: Scope) -> bool:
    """Whether the tables have all that the file says in this scope, from a load before."""
    if file.loaded_at is None or file.scope_number is None:
        return False
    return Scope.objects.numbered(file.scope_number).covers(scope)


def mark_later(file: EsmaFile) -> int:
    """Have the later files read anew that were loaded with a scope; returns how many.

    A listing that is followed from this file on may be in them, without saying that it is in scope.
    Parts of one day's set are not later than each other.
    """
    later = EsmaFile.objects.filter(
        dataset=file.dataset,
        kind__in=INSTRUMENT_FILES,
        sequence__gte=(file.sequence // PARTS + 1) * PARTS,
        scope_number__gt=0,
    )
    return later.update(scope_number=None)
