"""What a full file holds, beside what the tables held before it: counted and kept with the merge.

Called by the merge of each part, inside its transaction, while `temp.outcome` and `temp.superseded` say
what has become of the records.
"""

import dataclasses
import datetime as dt
import itertools
from array import array
from decimal import Decimal
from typing import Any

from django.db.backends.utils import CursorWrapper
from pyroaring import BitMap64

from esma_files.models import EsmaFile
from instruments.listings.fields import FIELDS
from instruments.models import Difference, FullFile, Listing, Reconciliation
from marketdata.common.fields import exact_text

LISTING = Listing._meta.db_table
# What two records can differ in: each element that makes one, and what its kind says.
_COMPARED = (
    "status",
    "valid_from",
    *dict.fromkeys(field.column for field in FIELDS if field.hashed),
    *("commodity_product", "commodity_base_product", "commodity_sub_product"),
    *("commodity_additional_sub_product", "underlying_basket"),
)
# The listing as it was, and the record of the file that is going to replace it.
_PAIRS = f"""
    FROM temp.superseded u
    CROSS JOIN {LISTING} l ON l.id = u.listing_id
    CROSS JOIN stage.record s ON s.position = u.position
    WHERE u.valid_to IS NOT NULL
"""


@dataclasses.dataclass
class Compared:
    """How many listings said something else, in which columns, and examples of them."""

    different: int = 0
    fields: dict[str, int] = dataclasses.field(default_factory=dict)
    examples: list[tuple[str, str, dict[str, Any]]] = dataclasses.field(default_factory=list)


def compare(cursor: CursorWrapper) -> Compared:
    """The listings that the file is about to change; before it does."""
    differs = ", ".join(
        f"sum(CASE WHEN l.{c} IS DISTINCT FROM s.{c} THEN 1 ELSE 0 END)" for c in _COMPARED
    )
    cursor.execute(f"SELECT count(*), {differs} {_PAIRS}")
    different, *counts = cursor.fetchone()
    if not different:
        return Compared()
    fields = {column: n for column, n in zip(_COMPARED, counts, strict=True) if n}
    said = ", ".join(f"l.{column}, s.{column}" for column in fields)
    cursor.execute(
        f"SELECT l.isin, l.mic, {said} {_PAIRS} ORDER BY l.isin, l.mic LIMIT {Difference.EXAMPLES}"
    )
    examples = [(isin, mic, _changes(fields, values)) for isin, mic, *values in cursor.fetchall()]
    return Compared(different, fields, examples)


def _changes(columns: Any, values: list[Any]) -> dict[str, Any]:
    """By column old and new, as they are staged, for the columns that differ."""
    pairs = zip(columns, values[::2], values[1::2], strict=True)
    return {c: {"old": _plain(old), "new": new} for c, old, new in pairs if not _same(old, new)}


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, Decimal):
        return new is not None and Decimal(new) == old
    return bool(_plain(old) == new)


def _plain(value: Any) -> Any:
    """A value of the tables as it was staged: SQLite has it so, SQL Server has types for it."""
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


def note(
    cursor: CursorWrapper,
    file: EsmaFile,
    *,
    register: str,
    known_until: int,
    compared: Compared,
    returned: int,
) -> FullFile:
    """Keep which listings the file holds, and, the first time, how they compare.

    `known_until` is the highest key of a listing before the merge; `returned` says how many listings
    of the file had been dropped.
    """
    held = BitMap64()
    for question in (
        "SELECT listing_id FROM temp.outcome WHERE listing_id IS NOT NULL",
        "SELECT listing_id FROM stage.known",
        # What could not be read is there all the same.
        f"""SELECT l.id FROM stage.rejected r JOIN {LISTING} l
            ON l.isin = r.isin AND l.mic = r.mic AND l.register = '{register}'""",
    ):
        cursor.execute(question)
        held |= keys(cursor)
    _add_new(cursor, held, known_until)
    of = _reconciliation(file, register)
    full_file, first_time = FullFile.objects.get_or_create(
        file=file, defaults={"reconciliation": of, "listings": held.serialize()}
    )
    if not first_time:
        full_file.listings = (held | listings_of(full_file)).serialize()
        full_file.save(update_fields=["listings"])
        return full_file
    of.listed += len(held)
    if of.compared:
        _count(cursor, of, held=len(held), compared=compared, returned=returned)
    of.save()
    return full_file


def _add_new(cursor: CursorWrapper, held: BitMap64, known_until: int) -> None:
    """The listings that the merge has added: half a million numbers, mostly without a gap."""
    new = f"FROM {LISTING} WHERE id > {known_until}"
    cursor.execute(f"SELECT min(id), max(id), count(*) {new}")
    first, last, count = cursor.fetchone()
    if count and last - first + 1 == count:
        held.add_range(first, last + 1)
    elif count:
        cursor.execute(f"SELECT id {new}")
        held |= keys(cursor)


def keys(cursor: CursorWrapper) -> BitMap64:
    """The numbers that a question is answered with: millions, of which no list is made."""
    return BitMap64(array("Q", itertools.chain.from_iterable(cursor)))


def listings_of(full_file: FullFile) -> BitMap64:
    return BitMap64.deserialize(bytes(full_file.listings))


def _reconciliation(file: EsmaFile, register: str) -> Reconciliation:
    of = {"register": register, "category": file.category}
    earlier = Reconciliation.objects.filter(
        **of, published_on__lt=file.published_on, completed_at__isnull=False
    )
    found, _ = Reconciliation.objects.get_or_create(
        **of,
        published_on=file.published_on,
        parts=file.parts,
        defaults={"compared": earlier.exists()},
    )
    return found


def _count(
    cursor: CursorWrapper, of: Reconciliation, *, held: int, compared: Compared, returned: int
) -> None:
    cursor.execute("SELECT outcome, sum(records) FROM temp.tally GROUP BY outcome")
    outcomes = dict(cursor.fetchall())
    missed, late = outcomes.get("new", 0), outcomes.get("late", 0)
    different = compared.different + returned
    of.missed += missed
    of.different += different
    of.late += late
    of.same += held - missed - different - late
    for column, count in (("status", returned), *compared.fields.items()):
        if count:
            of.by_field[column] = of.by_field.get(column, 0) + count
    cursor.execute(
        "SELECT isin, mic FROM temp.outcome WHERE outcome = 'new' "
        f"ORDER BY isin, mic LIMIT {Difference.EXAMPLES}"
    )
    keep_examples(of, Difference.Kind.MISSED, [(*key, {}) for key in cursor.fetchall()])
    keep_examples(of, Difference.Kind.DIFFERENT, compared.examples)


def keep_examples(
    of: Reconciliation, kind: Difference.Kind, examples: list[tuple[str, str, dict[str, Any]]]
) -> None:
    Difference.objects.bulk_create(
        [
            Difference(reconciliation=of, kind=kind, isin=isin, mic=mic, changes=changes)
            for isin, mic, changes in examples
        ],
        batch_size=100,
    )
