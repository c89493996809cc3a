"""Merge a staged file of FIRDS records into the tables, as sets of rows; the caller holds the transaction.

The records of a listing, in publication order and each at the place where it was first published, are its
timeline. The last one is the listing, the others are its versions, each valid until the day before the
`valid_from` of the next (rules 2 to 4 of ESMA65-8-5014 come to this). A list of cancelled records (FULCAN)
may repeat a cancellation for years: what it repeats comes before the cancellation that it repeats, so that
it does not cancel what has been reported again since. So the tables depend on the *set* of files loaded:
the order of loading makes no difference, and loading a file twice changes nothing.

Rows are written in the order in which they are stored, by listing or by ISIN: a page of a table or an index
that does not fit the cache is read and written once for a file, and not once for each record.
"""

import dataclasses

from django.db.backends.utils import CursorWrapper

from esma_files.models import EsmaFile
from instruments.listings.load import (
    full_sets,
    instruments,
    reconciliation,
    records,
    temporary_tables,
    withdrawal,
)
from instruments.listings.load.context import (
    LISTING,
    REREAD_FROM,
    VERSION,
    MergeContext,
    Replacement,
    Slice,
    highest_id,
)
from instruments.models import ChangeSet, FullFile, ListingVersion, Register, TableCount

_COUNT_OUTCOMES = f"""
    INSERT INTO temp.outcome_count (mic, outcome, is_end, records)
    SELECT mic, outcome, is_end, count(*) FROM temp.record_outcome
    WHERE position < {REREAD_FROM} GROUP BY mic, outcome, is_end
"""
_TABLES = (
    temporary_tables.RECORD_OUTCOME,
    temporary_tables.OUTCOME_COUNT,
    temporary_tables.SUPERSEDED_LISTING,
    temporary_tables.TIMELINE,
    temporary_tables.CHANGED_DROP,
)


@dataclasses.dataclass(frozen=True)
class Counts:
    """The number of records of a file by outcome, without rejected ones; `dropped` are in none of them."""

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
    replacement: Replacement | None = None,
) -> Counts:
    """Merge a slice of the staging file attached as `stage`, which holds the records of `file`.

    `columns` are those of its fields that have a value in some record. `replacement` is what a republished
    file replaces; its records are one slice.
    """
    context = MergeContext(
        cursor=cursor,
        file=file,
        register=Register(register),
        slice=slice_,
        staged_columns=columns,
        change=ChangeSet.objects.begin(),
        last_listing_id=highest_id(cursor, LISTING),
        last_version_id=highest_id(cursor, VERSION),
        replacement=replacement,
    )
    temporary_tables.drop(cursor, *_TABLES)
    if replacement is None:
        dropped = _merge(context)
        instruments.derive(context)
    else:
        with withdrawal.replacing(context, replacement):
            dropped = _merge(context)
    new_versions = context.count(f"{VERSION} WHERE id > {context.last_version_id}")
    TableCount.objects.add(ListingVersion, new_versions)
    counts = _count(cursor, dropped=dropped)
    temporary_tables.drop(cursor, *_TABLES)
    ChangeSet.objects.finish(context.change, wrote_versions=new_versions > 0)
    return counts


def _merge(context: MergeContext) -> int:
    """Write records, full sets and drops; return how many listings the set of a full file drops."""
    cursor = context.cursor
    records.write_compared(context)
    has_unresolved = context.has_rows("temp.record_outcome WHERE outcome IS NULL") or (
        context.replacement is not None and bool(context.replacement.withdrawn)
    )
    if has_unresolved:
        records.build_timelines(context)
    differences = reconciliation.Differences()
    if context.has_rows("temp.superseded_listing"):
        if context.is_full_file:
            differences = reconciliation.compare(context)
        records.replace_superseded(context)
    relisted = deleted_versions = 0
    if has_unresolved:
        deleted_versions = records.count_deleted_versions(context)
        records.write_timelines(context)
        if context.is_full_file:
            relisted = full_sets.reactivate_relisted(context)
    temporary_tables.create(cursor, temporary_tables.OUTCOME_COUNT)
    context.execute(_COUNT_OUTCOMES)
    full_file: FullFile | None = None
    if context.is_full_file:
        full_file = full_sets.note_listings(context, differences=differences, relisted=relisted)
    written = "SELECT isin, mic FROM temp.record_outcome WHERE outcome IN ('new', 'changed')"
    if has_unresolved:
        written += " UNION SELECT isin, mic FROM temp.timeline"
    dropped = full_sets.mark_dropped(context, full_file, written=written)
    TableCount.objects.add(ListingVersion, -deleted_versions)
    return dropped


def _count(cursor: CursorWrapper, *, dropped: int) -> Counts:
    """A record that ends its listing counts as ended, whether the listing was known or not."""
    outcome = "CASE WHEN is_end = 1 AND outcome IN ('new', 'changed') THEN 'ended' ELSE outcome END"
    cursor.execute(f"SELECT {outcome}, sum(records) FROM temp.outcome_count GROUP BY {outcome}")
    numbers = {**dict(cursor.fetchall()), "dropped": dropped}
    return Counts(
        **{field.name: numbers.get(field.name, 0) for field in dataclasses.fields(Counts)}
    )
