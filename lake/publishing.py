"""Publish the database as Delta Lake tables: only files whose rows have changed are written.

Rows are read in batches, and written as row groups. All changes of a table are one commit, so readers see
the table as it was before or as it is after. A publication that is killed leaves files that no commit names;
`vacuum` deletes them.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from azure.core.exceptions import AzureError
from django.conf import settings
from django.utils import timezone

from lake import location
from lake.errors import LakeBusy, LakeUnavailable
from lake.publication import Publication, Published
from lake.reading import read_slices, snapshot
from lake.recent import RecentRows, count_published_listings
from lake.state import ChangedIsins, read_state
from lake.tables import TABLES, LakeTable
from marketdata.common import disks

Progress = Callable[[str, int], None]


def silently(table: str, rows: int) -> None:
    """Show no progress."""


def publish(
    tables: Sequence[LakeTable] = TABLES, *, full: bool = False, progress: Progress = silently
) -> Iterator[Published]:
    """Publish tables, all from one state of the database. Yield each when it is published.

    `full` reads all rows; otherwise, of listings and instruments, the rows of changed ISINs are put into the
    table beside, until they are too many, and other tables are read if anything of their subject has changed.
    Raises LakeNotInstalled, LakeBusy, LakeUnavailable.
    """
    deltalake = location.import_deltalake()
    published: list[Published] = []
    listings = 0
    with _memory_given_back(), snapshot() as reader:
        state, isins = read_state(reader), ChangedIsins(reader)
        for table in tables:
            with _errors_named(deltalake, table):
                if not published:
                    location.prepare()
                    listings = count_published_listings()
                publication = Publication(deltalake, table, state)
                recent = RecentRows(deltalake, table.recent, state) if table.recent else None
                is_large = bool(settings.LAKE_FOLD_PERCENT) and listings >= table.recent_from
                may_add = is_large and not full
                if recent and may_add and recent.add(reader, isins, table, publication):
                    done = [publication.leave(), recent.commit()]
                else:
                    for bounds in publication.get_ranges(full=full):
                        slices = read_slices(reader, table, *bounds, is_new=publication.is_new)
                        publication.publish_range(_show(slices, table, progress), bounds)
                    done = _commit(publication, recent)
            published += done
            yield from done
    if {item.table for item in published} >= {table.name for table in TABLES}:
        location.write_published(
            {
                "data_version": state.data_version,
                "published_at": timezone.now().isoformat(),
                "tables": {
                    item.table: {"version": item.version, "rows": item.rows} for item in published
                },
            }
        )


@contextlib.contextmanager
def _errors_named(deltalake: Any, table: LakeTable) -> Iterator[None]:
    """Raise errors of the lake as LakeBusy or LakeUnavailable, with the name of a table."""
    try:
        yield
    except deltalake.exceptions.CommitFailedError as error:
        raise LakeBusy(table.name) from error
    except (deltalake.exceptions.DeltaError, AzureError, OSError) as error:
        problem = str(error).partition("\n")[0]
        if disks.is_full(error):
            problem = disks.describe_full(settings.LAKE_DIR)
        raise LakeUnavailable(table.name, problem) from error


@contextlib.contextmanager
def _memory_given_back() -> Iterator[None]:
    """Let Arrow take memory from the system: its own allocator keeps a sixth more than that for itself."""
    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(pool)


def _commit(publication: Publication, recent: RecentRows | None) -> list[Published]:
    """Commit a table that has been read, and the one of recent rows, which is emptied.

    Between these commits readers see the table as it was folded before: an older state, but one that was.
    """
    if recent is None:
        return [publication.commit()]
    emptied = recent.empty()
    return [publication.commit(), emptied]


def _show(
    slices: Iterator[tuple[str, Iterator[pa.Table]]], table: LakeTable, progress: Progress
) -> Iterator[tuple[str, Iterator[pa.Table]]]:
    """Yield slices, and report how many rows of the table have been read."""
    count = 0

    def counted(batches: Iterator[pa.Table]) -> Iterator[pa.Table]:
        nonlocal count
        for rows in batches:
            yield rows
            count += len(rows)
            progress(table.name, count)

    progress(table.name, 0)
    for start, batches in slices:
        yield start, counted(batches)
