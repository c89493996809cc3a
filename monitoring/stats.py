"""Statistics of the database: counts, coverage, size."""

import dataclasses
import datetime as dt
import os
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Min

from esma_files.models import EsmaFile, RejectedRecord
from instruments.classification import cfi
from instruments.models import (
    ChangeSet,
    Coverage,
    InstrumentCount,
    ListingVersion,
    Register,
    SubclassTransparency,
    TableCount,
    TransparencyResult,
    Venue,
    VolumeCap,
)

# The states of files whose data are in the database.
_LOADED = (EsmaFile.State.LOADED, EsmaFile.State.ARCHIVED)


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
class CoverageCount:
    """The number of instruments of one CFI category of which a source has data, as counted by night."""

    category: str
    name: str
    source: str
    instruments: int
    covered: int
    counted_at: dt.datetime


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
    """All statistics.

    `data_version` is the number of the last transaction that changed listings, at `data_changed_at`.
    `database_bytes` is None where the database does not report its size.
    """

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
    coverage: list[CoverageCount]
    files: list[FileCount]
    last_loaded: dt.date | None
    data_version: int
    data_changed_at: dt.datetime | None
    database: str
    database_bytes: int | None


def collect() -> Stats:
    """Return the statistics, with six queries.

    Counts of large tables are those that loads keep, so that the cost does not depend on their size.
    """
    rows = list(InstrumentCount.objects.exclude(instruments=0))
    files = _count_files()
    loaded = [row.last_day for row in files if row.state in _LOADED]
    versions, results, subclass_results, volume_cap_results, rejected = TableCount.objects.of(
        ListingVersion, TransparencyResult, SubclassTransparency, VolumeCap, RejectedRecord
    )
    newest = ChangeSet.objects.last()
    registers = [_register_count(register, rows) for register in Register]
    return Stats(
        instruments=sum(row.instruments for row in rows),
        listings=sum(row.listings for row in registers),
        versions=versions,
        venues=Venue.objects.count(),
        transparency_results=results,
        subclass_results=subclass_results,
        volume_cap_results=volume_cap_results,
        rejected_records=rejected,
        registers=registers,
        categories=[_category_count(row) for row in rows],
        coverage=[_coverage_count(row) for row in Coverage.objects.all()],
        files=files,
        last_loaded=max(loaded, default=None),
        data_version=newest.number if newest else 0,
        data_changed_at=newest.made_at if newest else None,
        database=connection.vendor,
        database_bytes=_database_bytes(),
    )


def _category_count(row: InstrumentCount) -> CategoryCount:
    name = _category_name(row.category)
    return CategoryCount(row.category, name, row.status, row.instruments)


def _coverage_count(row: Coverage) -> CoverageCount:
    counts = (row.instruments, row.covered, row.counted_at)
    return CoverageCount(row.category, _category_name(row.category), row.source, *counts)


def _category_name(category: str) -> str:
    return cfi.category_names().get(category, "No CFI code")


def _register_count(register: Register, rows: list[InstrumentCount]) -> RegisterCount:
    return RegisterCount(
        register.value,
        str(register.label),
        instruments=sum(getattr(row, register.instruments_counted_in) for row in rows),
        listings=sum(getattr(row, register.counted_in) for row in rows),
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
