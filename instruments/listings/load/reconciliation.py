"""Compare a full set with the listings that were built before it, and count the differences.

The comparison is part of the merge of each file of the set, since afterwards the listings are what the
set says. See `Reconciliation` for the meaning of the counts.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.utils import timezone
from pyroaring import BitMap64

from instruments.listings.fields import FIELDS
from instruments.listings.load.context import LISTING, MergeContext
from instruments.listings.load.layout import GROUP_COLUMNS
from instruments.models import Difference, Listing, Reconciliation
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
    full_set: Reconciliation,
    *,
    listed: int,
    differences: Differences,
    relisted: int,
) -> None:
    """Add the counts of a file to those of its set."""
    full_set.listed += listed
    if full_set.compared:
        _count_differences(merge, full_set, listed, differences, relisted)
    full_set.save()


def _count_differences(
    merge: MergeContext,
    full_set: Reconciliation,
    listed: int,
    differences: Differences,
    relisted: int,
) -> None:
    merge.cursor.execute("SELECT outcome, sum(records) FROM temp.outcome_count GROUP BY outcome")
    outcomes = dict(merge.cursor.fetchall())
    missed, late = outcomes.get("new", 0), outcomes.get("late", 0)
    different = differences.listings + relisted
    full_set.missed += missed
    full_set.different += different
    full_set.late += late
    full_set.same += listed - missed - different - late
    for column, n in (("status", relisted), *differences.by_column.items()):
        if n:
            full_set.by_field[column] = full_set.by_field.get(column, 0) + n
    merge.cursor.execute(f"""
        SELECT isin, mic FROM temp.record_outcome WHERE outcome = 'new'
        ORDER BY isin, mic LIMIT {Difference.EXAMPLES}
    """)
    missed_examples: list[_Example] = [(*key, {}) for key in merge.cursor.fetchall()]
    _keep_examples(full_set, Difference.Kind.MISSED, missed_examples)
    _keep_examples(full_set, Difference.Kind.DIFFERENT, differences.examples)


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
        _keep_examples(full_set, Difference.Kind.EXTRA, examples)
    full_set.save()


def _keep_examples(
    full_set: Reconciliation, kind: Difference.Kind, examples: list[_Example]
) -> None:
    Difference.objects.bulk_create(
        [
            Difference(reconciliation=full_set, kind=kind, isin=isin, mic=mic, changes=changes)
            for isin, mic, changes in examples
        ],
        batch_size=100,
    )
