"""Statistics of the database: counts, coverage, size."""

import dataclasses
import datetime as dt
import os
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Min, Sum
from django.db.models.functions import Substr

from esma_files.models import EsmaFile, RejectedRecord
from instruments.classification import cfi
from instruments.models import (
    Instrument,
    Listing,
    ListingVersion,
    Register,
    SubclassTransparency,
    TransparencyResult,
    Venue,
    VolumeCap,
)


@dataclasses.dataclass(frozen=True)
class CategoryCount:
    """Instruments of one CFI category in one status."""

    category: str
    name: str
    status: str
    instruments: int


@dataclasses.dataclass(frozen=True)
class RegisterCount:
    """Instruments and listings of one register; an instrument may be in several."""

    register: str
    name: str
    instruments: int
    listings: int


@dataclasses.dataclass(frozen=True)
class FileCount:
    """Files of one dataset and kind in one state, and the publication days they cover."""

    dataset: str
    kind: str
    state: str
    files: int
    first_day: dt.date
    last_day: dt.date


@dataclasses.dataclass(frozen=True)
class Stats:
    """All statistics; `database_bytes` is None where the database does not report its size."""

    instruments: int
    listings: int
    versions: int
    venues: int
    transparency_results: int
    subclass_results: int
    volume_cap_results: int
    rejected_records: int
    registers: list[RegisterCount]
    categories: list[CategoryCount]
    files: list[FileCount]
    last_loaded: dt.date | None
    database: str
    database_bytes: int | None


def collect() -> Stats:
    """Count the rows of each table, with nine queries."""
    rows = _count_by_category()
    categories = [_category_count(row) for row in rows]
    files = _count_files()
    loaded = [row.last_day for row in files if row.state == EsmaFile.State.LOADED]
    return Stats(
        instruments=sum(row.instruments for row in categories),
        listings=Listing.objects.count(),
        versions=ListingVersion.objects.count(),
        venues=Venue.objects.count(),
        transparency_results=TransparencyResult.objects.count(),
        subclass_results=SubclassTransparency.objects.count(),
        volume_cap_results=VolumeCap.objects.count(),
        rejected_records=RejectedRecord.objects.values("file", "position").distinct().count(),
        registers=[_register_count(register, rows) for register in Register],
        categories=categories,
        files=files,
        last_loaded=max(loaded, default=None),
        database=connection.vendor,
        database_bytes=_database_bytes(),
    )


def _count_by_category() -> list[dict[str, Any]]:
    """Count instruments by category and status, in total and by register, in one scan."""
    counts: dict[str, Any] = {}
    for register in Register:
        counts[f"{register}_instruments"] = Count(register.counted_in)
        counts[f"{register}_listings"] = Sum(register.counted_in)
    rows: Any = (
        Instrument.objects.annotate(cfi_category=Substr("cfi_code", 1, 1))
        .values("cfi_category", "status")
        .annotate(instruments=Count("pk"), **counts)
        .order_by("cfi_category", "status")
    )
    return list(rows)


def _category_count(row: dict[str, Any]) -> CategoryCount:
    name = cfi.category_names().get(row["cfi_category"], "No CFI code")
    return CategoryCount(row["cfi_category"], name, row["status"], row["instruments"])


def _register_count(register: Register, rows: list[dict[str, Any]]) -> RegisterCount:
    return RegisterCount(
        register.value,
        str(register.label),
        instruments=sum(row[f"{register}_instruments"] for row in rows),
        listings=sum(row[f"{register}_listings"] or 0 for row in rows),
    )


def _count_files() -> list[FileCount]:
    rows: Any = (
        EsmaFile.objects.values("dataset", "kind", "state")
        .annotate(files=Count("pk"), first_day=Min("published_on"), last_day=Max("published_on"))
        .order_by("dataset", "kind", "state")
    )
    return [FileCount(**row) for row in rows]


def _database_bytes() -> int | None:
    """Return the size on disk, including the write-ahead log; None for other databases than SQLite."""
    if connection.vendor != "sqlite":
        return None
    database = str(connection.settings_dict["NAME"])
    paths = [path for path in (database, f"{database}-wal") if os.path.exists(path)]
    return sum(os.path.getsize(path) for path in paths)
