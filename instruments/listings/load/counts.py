"""Keep the counts of instruments by category and status (`InstrumentCount`) with each merge.

Only rows that a merge changes are looked at: what they were is subtracted, and what they are is added.
"""

from typing import Any

from django.db import transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Count, Sum
from django.db.models.functions import Substr

from esma_files.models import RejectedRecord
from instruments.listings.load import temporary_tables
from instruments.listings.load.temporary_tables import COUNT_CHANGE, COUNTED
from instruments.models import (
    Instrument,
    InstrumentCount,
    ListingVersion,
    Register,
    SubclassTransparency,
    TableCount,
    TransparencyResult,
    VolumeCap,
)

INSTRUMENT = Instrument._meta.db_table
COUNT = InstrumentCount._meta.db_table
# The tables whose rows are counted, but for rejected records, of which one may have several rows.
TABLES = (ListingVersion, TransparencyResult, SubclassTransparency, VolumeCap)


def begin(cursor: CursorWrapper) -> None:
    temporary_tables.create(cursor, COUNT_CHANGE)


def note_derived(cursor: CursorWrapper) -> None:
    """Note the difference that `derived_instrument` makes, before the instruments are written."""
    cursor.execute(
        _note("b", 1, "temp.derived_instrument b WHERE b.difference IS NULL OR b.difference = 2")
    )
    changed = f"temp.derived_instrument b CROSS JOIN {INSTRUMENT} i ON i.isin = b.isin"
    cursor.execute(_note("i", -1, f"{changed} WHERE b.difference = 2"))


def note_deleted(cursor: CursorWrapper, condition: str) -> None:
    """Note the instruments `i` that meet the condition, before they are deleted."""
    cursor.execute(_note("i", -1, f"{INSTRUMENT} i WHERE {condition}"))


def apply(cursor: CursorWrapper) -> None:
    """Write the differences that were noted."""
    for statement in (_UPDATE, _INSERT):
        cursor.execute(statement)
    temporary_tables.drop(cursor, COUNT_CHANGE)


def recount() -> None:
    """Recount everything, after the tables were filled in another way than by a load."""
    with transaction.atomic():
        InstrumentCount.objects.all().delete()
        InstrumentCount.objects.bulk_create(count_instruments())
        TableCount.objects.all().delete()
        for model in TABLES:
            TableCount.objects.add(model, model._default_manager.count())
        records = RejectedRecord.objects.order_by().values("file", "position").distinct()
        TableCount.objects.add(RejectedRecord, records.count())


def count_instruments() -> list[InstrumentCount]:
    """Count the instruments by category and status, in one scan of the table."""
    counts = {
        name: aggregate
        for register in Register
        for name, aggregate in (
            (register.instruments_counted_in, Count(register.counted_in)),
            (register.counted_in, Sum(register.counted_in, default=0)),
        )
    }
    rows: Any = (
        Instrument.objects.order_by()
        .annotate(letter=Substr("cfi_code", 1, 1))
        .values("letter", "status")
        .annotate(instruments=Count("pk"))
        .annotate(**{f"{name}_": aggregate for name, aggregate in counts.items()})
    )
    return [
        InstrumentCount(
            category=row["letter"],
            status=row["status"],
            instruments=row["instruments"],
            **{name: row[f"{name}_"] for name in counts},
        )
        for row in rows
    ]


def _note(row: str, sign: int, source: str) -> str:
    """SQL that notes counts of instruments with a sign. `source` stands after FROM, with them as `row`."""
    counts = ["count(*)"]
    for register in Register:
        column = f"{row}.{register.counted_in}"
        counts += [f"count({column})", f"coalesce(sum({column}), 0)"]
    return f"""
        INSERT INTO temp.count_change (category, status, {", ".join(COUNTED)})
        SELECT substr({row}.cfi_code, 1, 1), {row}.status,
            {", ".join(f"{sign} * {count}" for count in counts)}
        FROM {source} GROUP BY substr({row}.cfi_code, 1, 1), {row}.status
    """


_SUMS = ", ".join(f"sum({column}) AS {column}" for column in COUNTED)
_CHANGES = f"""
    (SELECT category, status, {_SUMS} FROM temp.count_change GROUP BY category, status) AS a
"""
_UPDATE = f"""
    UPDATE {COUNT} SET {", ".join(f"{column} = {COUNT}.{column} + a.{column}" for column in COUNTED)}
    FROM {_CHANGES} WHERE a.category = {COUNT}.category AND a.status = {COUNT}.status
"""
_INSERT = f"""
    INSERT INTO {COUNT} (category, status, {", ".join(COUNTED)})
    SELECT category, status, {", ".join(COUNTED)} FROM {_CHANGES}
    WHERE NOT EXISTS (
        SELECT 1 FROM {COUNT} k WHERE k.category = a.category AND k.status = a.status)
"""
