"""Decide which records of a file are in scope: by their own content, or because their listing is followed.

A listing is followed from its first record in scope on: all its later records are loaded, also those that do
not meet the scope's criteria by themselves. (A cancellation has ISIN and MIC only, and a later record may
have left the scope.) Only the tables tell which listings are followed. So records that are not in scope by
themselves are noted in the staging table `outside`, and the merge decides about them. All of these records
of a delta are staged, and of a full file those of listings that are in the tables when it is staged.
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
from instruments.listings.load import temporary_tables
from instruments.listings.models.scope import COLUMNS
from instruments.models import Listing, ListingVersion, Register, Scope

LISTING = Listing._meta.db_table
VERSION = ListingVersion._meta.db_table
FILE = EsmaFile._meta.db_table

# The kinds of files whose records go into the tables of listings.
INSTRUMENT_FILES = [kind.code for kind in KINDS.values() if kind.has_scope]


def is_in_scope(scope: Scope, batch: Batch) -> np.ndarray:
    """Return which records of a batch are in scope by their own content, as a mask.

    An element that is absent does not exclude a record; but it excludes a cancellation, because the listing
    that this cancels is followed, or was never loaded.
    """
    if scope.is_everything:
        return np.ones(len(batch.rows), dtype=bool)
    has_listed_isin = _is_among(_texts(batch, "isin"), scope.isins, if_absent=False)
    if not scope.criteria:
        return has_listed_isin
    is_lenient = batch.kind != RecordKind.CANCELLED
    meets_criteria = np.ones(len(batch.rows), dtype=bool)
    for kind, codes in scope.criteria.items():
        texts = _texts(batch, COLUMNS[kind])
        if kind == "categories":
            texts = pc.utf8_slice_codeunits(texts, 0, 1)
        meets_criteria &= _is_among(texts, codes, if_absent=is_lenient)
    mask: np.ndarray = meets_criteria | has_listed_isin
    return mask


def _texts(batch: Batch, column: str) -> pa.Array:
    return batch.rows.column(BY_COLUMN[column].path)


def _is_among(texts: pa.Array, codes: list[str], *, if_absent: bool) -> np.ndarray:
    is_among = pc.is_in(texts, pa.array(codes, pa.string()))
    mask: np.ndarray = pc.if_else(texts.is_valid(), is_among, if_absent).to_numpy(
        zero_copy_only=False
    )
    return mask


def outside_rows(batch: Batch, mask: np.ndarray) -> pa.RecordBatch:
    """Return the rows of the staging table `outside` for the records in `mask`."""
    texts = {name: _texts(batch, name).filter(pa.array(mask)) for name in ("isin", "mic")}
    positions = pa.array(batch.positions[mask] + 1)
    return pa.RecordBatch.from_pydict({"position": positions, **texts})


def filtered(batch: Batch, mask: np.ndarray) -> Batch:
    """Return the records of the batch that are in `mask`."""
    rows = batch.rows.filter(pa.array(mask))
    return Batch(batch.kind, batch.group, rows, batch.positions[mask], batch.begins[mask])


@dataclasses.dataclass(frozen=True)
class Settled:
    """The number of records outside the scope and of rejected ones, and whether some were missed.

    A record is missed where its listing is followed and it was not staged: the file from which the listing
    is followed was merged after the staging.
    """

    outside: int
    rejected: int
    missed: bool


def settle(cursor: CursorWrapper, file: EsmaFile) -> Settled:
    """Delete records outside the scope from the staging file.

    Called in the transaction of the merge, before it, so that no other file is merged in between.
    """
    cursor.execute("SELECT 1 FROM stage.outside LIMIT 1")
    is_missed = _delete_outside(cursor, file) if cursor.fetchone() else False
    cursor.execute("SELECT count(*) FROM stage.outside")
    (outside,) = cursor.fetchone()
    cursor.execute("SELECT count(DISTINCT position) FROM stage.rejected")
    (rejected,) = cursor.fetchone()
    return Settled(outside, rejected, is_missed)


def _delete_outside(cursor: CursorWrapper, file: EsmaFile) -> bool:
    """Delete records of followed listings from `outside`, and those that are left in it from the records.

    Returns whether a record of a followed listing was not staged.
    """
    register = Register.of_dataset(file.dataset)
    cursor.execute("DELETE FROM stage.outside WHERE position IN (SELECT position FROM stage.known)")
    has_earlier_record = " OR ".join(
        f"""EXISTS (SELECT 1 FROM {table} t JOIN {FILE} f ON f.id = t.source_file_id
            WHERE t.isin = o.isin AND t.mic = o.mic AND t.register = '{register}'
            AND (f.sequence < {file.sequence}
                OR (f.sequence = {file.sequence} AND t.source_position < o.position)))"""
        for table in (LISTING, VERSION)
    )
    temporary_tables.create(cursor, temporary_tables.FOLLOWED_RECORD)
    cursor.execute(
        f"""INSERT INTO temp.followed_record (position)
            SELECT o.position FROM stage.outside o WHERE o.isin IS NOT NULL AND ({has_earlier_record}
            OR EXISTS (SELECT 1 FROM stage.record r WHERE r.isin = o.isin AND r.mic = o.mic
                AND r.position < o.position
                AND r.position NOT IN (SELECT position FROM stage.outside)))"""
    )
    staged = "SELECT position FROM stage.record UNION SELECT position FROM stage.rejected"
    cursor.execute(f"SELECT 1 FROM temp.followed_record WHERE position NOT IN ({staged}) LIMIT 1")
    is_missed = cursor.fetchone() is not None
    cursor.execute(
        f"""DELETE FROM stage.outside WHERE position IN (
            SELECT position FROM temp.followed_record WHERE position IN ({staged}))"""
    )
    temporary_tables.drop(cursor, temporary_tables.FOLLOWED_RECORD)
    for table in ("record", "rejected"):
        cursor.execute(
            f"DELETE FROM stage.{table} WHERE position IN (SELECT position FROM stage.outside)"
        )
    return is_missed


def is_covered(file: EsmaFile, scope: Scope) -> bool:
    """Return whether an earlier load of the file has brought all of its records in this scope."""
    if file.loaded_at is None or file.scope_number is None:
        return False
    return Scope.objects.numbered(file.scope_number).covers(scope)


def mark_later_files(file: EsmaFile) -> int:
    """Mark the later files that were loaded with a scope, to be reloaded; return their number.

    They may have records of listings that are followed from this file on, and that were out of scope by
    themselves. The parts of one day's set are not later than each other.
    """
    later_files = EsmaFile.objects.filter(
        dataset=file.dataset,
        kind__in=INSTRUMENT_FILES,
        sequence__gte=(file.sequence // PARTS + 1) * PARTS,
        scope_number__gt=0,
    )
    return later_files.update(scope_number=None)
