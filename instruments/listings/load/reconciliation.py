"""Compare a full set with the listings that were built before it, and count the differences.

The comparison is part of the merge of each file of the set, since afterwards the listings are what the
set says. See `Reconciliation` for the meaning of the counts.
"""

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.utils import timezone
from pyroaring import BitMap64

from instruments.listings.fields import FIELDS
from instruments.listings.load.context import FILE, LISTING, VERSION, MergeContext
from instruments.listings.load.layout import GROUP_COLUMNS
from instruments.models import Difference, FullFile, Listing, Reconciliation
from marketdata.common.fields import exact_text

# The columns in which two records can differ.
_COMPARED = (
    "status",
    "valid_from",
    *dict.fromkeys(field.column for field in FIELDS if field.hashed),
    *GROUP_COLUMNS,
)
# The listings as they were, and the records of the file that replace theirs.
_REPLACED = f"""
    FROM temp.superseded_listing u
    CROSS JOIN {LISTING} l ON l.id = u.listing_id
    CROSS JOIN stage.record s ON s.position = u.position
    WHERE u.valid_to IS NOT NULL
"""

# ISIN, MIC, and old and new value by column.
_Example = tuple[str, str, dict[str, Any]]


@dataclasses.dataclass
class Differences:
    """Listings that differ from the full file: their number, by column too, and examples."""

    listings: int = 0
    by_column: dict[str, int] = dataclasses.field(default_factory=dict)
    examples: list[_Example] = dataclasses.field(default_factory=list)


def compare(merge: MergeContext) -> Differences:
    """Compare the listings that the file is about to change with its records."""
    counts_by_column = ", ".join(
        f"sum(CASE WHEN l.{c} IS DISTINCT FROM s.{c} THEN 1 ELSE 0 END)" for c in _COMPARED
    )
    merge.cursor.execute(f"SELECT count(*), {counts_by_column} {_REPLACED}")
    listings, *counts = merge.cursor.fetchone()
    if not listings:
        return Differences()
    by_column = {column: n for column, n in zip(_COMPARED, counts, strict=True) if n}
    values = ", ".join(f"l.{column}, s.{column}" for column in by_column)
    merge.cursor.execute(f"""
        SELECT l.isin, l.mic, {values} {_REPLACED}
        ORDER BY l.isin, l.mic LIMIT {Difference.EXAMPLES}
    """)
    examples = [
        (isin, mic, _changes(by_column, values)) for isin, mic, *values in merge.cursor.fetchall()
    ]
    return Differences(listings, by_column, examples)


def _changes(columns: Iterable[str], values: list[Any]) -> dict[str, Any]:
    """Return old and new value by column, in the form in which they are staged, where they differ."""
    pairs = zip(columns, values[::2], values[1::2], strict=True)
    return {
        column: {"old": _as_staged(old), "new": new}
        for column, old, new in pairs
        if not _is_same(old, new)
    }


def _is_same(old: Any, new: Any) -> bool:
    if isinstance(old, Decimal):
        return new is not None and Decimal(new) == old
    return bool(_as_staged(old) == new)


def _as_staged(value: Any) -> Any:
    """Return a value of the tables as it was staged; SQL Server has types of its own for some."""
    match value:
        case bool():
            return int(value)
        case Decimal():
            return exact_text(value)
        case dt.datetime():
            return value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(" ")
        case dt.date():
            return value.isoformat()
    return value


def of_file(merge: MergeContext) -> Reconciliation:
    """Return the reconciliation of the set that the file belongs to; the first part creates it."""
    file = merge.file
    key = {"register": merge.register, "category": file.category}
    earlier_sets = Reconciliation.objects.filter(
        **key, published_on__lt=file.published_on, completed_at__isnull=False
    )
    full_set, _ = Reconciliation.objects.get_or_create(
        **key,
        published_on=file.published_on,
        parts=file.parts,
        defaults={"compared": earlier_sets.exists()},
    )
    return full_set


def count(
    merge: MergeContext,
    full_file: FullFile,
    *,
    listed: int,
    differences: Differences,
    relisted: int,
) -> None:
    """Add the counts of a file to those of its set, and keep them with the file."""
    full_set = full_file.reconciliation
    counts: dict[str, Any] = {"listed": listed, "by_field": {}}
    if full_set.compared:
        if merge.replacement:
            differences = _compare_republished(merge)
            missed, missed_examples, late = _count_republished(merge)
        else:
            missed, missed_examples, late = _count_outcomes(merge)
        different = differences.listings + relisted
        counts |= {"missed": missed, "different": different, "late": late}
        counts["same"] = listed - missed - different - late
        by_field = Counter(differences.by_column)
        by_field["status"] += relisted
        counts["by_field"] = dict(+by_field)
        _keep_examples(full_set, full_file, Difference.Kind.MISSED, missed_examples)
        _keep_examples(full_set, full_file, Difference.Kind.DIFFERENT, differences.examples)
    full_file.counts = counts
    full_file.save(update_fields=["counts"])
    _add(full_set, counts, 1)
    full_set.save()


def _add(full_set: Reconciliation, counts: dict[str, Any], sign: int) -> None:
    for name in ("listed", "same", "missed", "different", "late"):
        setattr(full_set, name, getattr(full_set, name) + sign * counts.get(name, 0))
    for column, n in counts["by_field"].items():
        full_set.by_field[column] = full_set.by_field.get(column, 0) + sign * n
        if not full_set.by_field[column]:
            del full_set.by_field[column]


def withdraw(full_file: FullFile) -> None:
    """Take a file of an older revision out of the counts of its set, before it is deleted.

    Its own differences are deleted with it; the set is not complete until the new revision is merged.
    """
    full_set = full_file.reconciliation
    _add(full_set, full_file.counts, -1)
    full_set.extra, full_set.completed_at = 0, None
    full_set.differences.filter(kind=Difference.Kind.EXTRA).delete()
    full_set.save()


def _count_outcomes(merge: MergeContext) -> tuple[int, list[_Example], int]:
    """Return the number of missed listings, examples of them, and the number of late records."""
    merge.cursor.execute("SELECT outcome, sum(records) FROM temp.outcome_count GROUP BY outcome")
    outcomes = dict(merge.cursor.fetchall())
    merge.cursor.execute(f"""
        SELECT isin, mic FROM temp.record_outcome WHERE outcome = 'new'
        ORDER BY isin, mic LIMIT {Difference.EXAMPLES}
    """)
    examples: list[_Example] = [(*key, {}) for key in merge.cursor.fetchall()]
    return outcomes.get("new", 0), examples, outcomes.get("late", 0)


def _versions_of(merge: MergeContext) -> str:
    """A query for the versions of a listing `l`."""
    return f"""SELECT 1 FROM {VERSION} v WHERE v.isin = l.isin AND v.mic = l.mic
        AND v.register = '{merge.register}'"""


def _count_republished(merge: MergeContext) -> tuple[int, list[_Example], int]:
    """The same for a file that replaces an older revision.

    The older one had made new listings of what the new one repeats: so this is counted from the tables, by
    the records that the new revision published first.
    """
    merge.cursor.execute(f"""
        SELECT l.isin, l.mic FROM temp.held_listing h CROSS JOIN {LISTING} l ON l.id = h.listing_id
        WHERE l.source_file_id = {merge.file.pk} AND NOT EXISTS ({_versions_of(merge)}) ORDER BY l.isin, l.mic
    """)
    missed = merge.cursor.fetchall()
    merge.cursor.execute(f"""
        SELECT count(*) FROM temp.held_listing h CROSS JOIN {LISTING} l ON l.id = h.listing_id
        CROSS JOIN {VERSION} v ON v.isin = l.isin AND v.mic = l.mic
            AND v.register = '{merge.register}' WHERE v.source_file_id = {merge.file.pk}
    """)
    (late,) = merge.cursor.fetchone()
    examples: list[_Example] = [(isin, mic, {}) for isin, mic in missed[: Difference.EXAMPLES]]
    return len(missed), examples, late


def _compare_republished(merge: MergeContext) -> Differences:
    """Compare the listings that the new revision has changed with the versions before."""
    columns = ", ".join(f"{row}.{column}" for column in _COMPARED for row in "vl")
    merge.cursor.execute(f"""
        SELECT l.isin, l.mic, {columns} FROM temp.held_listing h
        CROSS JOIN {LISTING} l ON l.id = h.listing_id CROSS JOIN {VERSION} v ON v.id = (
            SELECT x.id FROM {VERSION} x JOIN {FILE} f ON f.id = x.source_file_id
            WHERE x.isin = l.isin AND x.mic = l.mic AND x.register = '{merge.register}'
            ORDER BY f.sequence DESC, x.source_position DESC LIMIT 1)
        WHERE l.source_file_id = {merge.file.pk} ORDER BY l.isin, l.mic
    """)
    differences = Differences()
    for isin, mic, *values in merge.cursor.fetchall():
        changes = _changes(_COMPARED, [_as_staged(value) for value in values])
        differences.listings += 1
        for column in changes:
            differences.by_column[column] = differences.by_column.get(column, 0) + 1
        if len(differences.examples) < Difference.EXAMPLES:
            differences.examples.append((isin, mic, changes))
    return differences


def complete(full_set: Reconciliation, *, extra: BitMap64 | None) -> None:
    """Note that all parts of a set are loaded, and count the listings that it lacks.

    `extra` are their keys, None where a newer set is loaded already.
    """
    full_set.completed_at = timezone.now()
    if full_set.compared and extra is not None:
        full_set.extra = len(extra)
        keys = list(extra[: Difference.EXAMPLES])
        listings = Listing.objects.filter(pk__in=keys).order_by("isin", "mic")
        examples: list[_Example] = [(*key, {}) for key in listings.values_list("isin", "mic")]
        _keep_examples(full_set, None, Difference.Kind.EXTRA, examples)
    full_set.save()


def _keep_examples(
    full_set: Reconciliation,
    full_file: FullFile | None,
    kind: Difference.Kind,
    examples: list[_Example],
) -> None:
    Difference.objects.bulk_create(
        [
            Difference(
                reconciliation=full_set,
                full_file=full_file,
                kind=kind,
                isin=isin,
                mic=mic,
                changes=changes,
            )
            for isin, mic, changes in examples
        ],
        batch_size=100,
    )
