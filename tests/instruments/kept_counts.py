"""The kept counts, and what counting the tables gives."""

from typing import Any

from esma_files.models import RejectedRecord
from instruments.listings.load import counts
from instruments.listings.load.temporary_tables import COUNTED
from instruments.models import InstrumentCount, TableCount

_COLUMNS = ("category", "status", *COUNTED)


def check_counts() -> None:
    """Compare all kept counts with the tables."""
    kept = InstrumentCount.objects.exclude(instruments=0)
    assert _sorted(kept) == _sorted(counts.count_instruments())
    assert all(
        getattr(row, column) == 0
        for row in InstrumentCount.objects.filter(instruments=0)
        for column in COUNTED
    )
    rejected = RejectedRecord.objects.order_by().values("file", "position").distinct().count()
    rows = [model._default_manager.count() for model in counts.TABLES]
    assert TableCount.objects.of(*counts.TABLES, RejectedRecord) == [*rows, rejected]


def _sorted(rows: Any) -> list[tuple[Any, ...]]:
    return sorted(tuple(getattr(row, column) for column in _COLUMNS) for row in rows)
