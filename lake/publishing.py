"""Publish the database as Delta Lake tables: only files whose rows have changed are written.

A slice of rows is in memory at a time. All changes of a table are one commit, so readers see the table as it
was before or as it is after. A publication that is killed leaves files that no commit names; `vacuum`
deletes them.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from azure.core.exceptions import AzureError
from django.conf import settings
from django.utils import timezone

from lake import location
from lake.errors import LakeBusy, LakeUnavailable
from lake.files import DataFile, make_file, make_files, now
from lake.merging import merge
from lake.reading import Reader, read_keys, read_slices, snapshot
from lake.state import Bounds, State, get_slices, get_touched, read_changed, read_state
from lake.tables import TABLES, LakeTable

if TYPE_CHECKING:
    from deltalake import DeltaTable

# The writer of all commits: of two that publish at once, the second fails.
_WRITER = "marketdata"
# Commits that are looked through for the newest one that was published: `vacuum` makes others.
_RECENT = 100

# Where more than one in so many rows of a slice have changed, the slice is read whole.
_FEW = 10

Progress = Callable[[str, int], None]


@dataclasses.dataclass
class Published:
    """The publication of one table. `rows` are those of the table, the other numbers are of files.

    `version` is the version of the Delta Lake table.
    """

    table: str
    data_version: int
    version: int = 0
    rows: int = 0
    written: int = 0
    removed: int = 0
    kept: int = 0
    bytes_written: int = 0


def silently(table: str, rows: int) -> None:
    """Show no progress."""


def publish(
    tables: Sequence[LakeTable] = TABLES, *, full: bool = False, progress: Progress = silently
) -> Iterator[Published]:
    """Publish tables, all from one state of the database. Yield each when it is published.

    `full` reads all rows; otherwise, of listings and instruments, those of the ISINs that the changes feed
    has, and of other tables all rows if anything of their subject has changed. Raises LakeNotInstalled,
    LakeBusy, LakeUnavailable.
    """
    deltalake = location.import_deltalake()
    published: list[Published] = []
    with snapshot() as reader:
        state = read_state(reader)
        for table in tables:
            try:
                if not published:
                    location.prepare()
                publication = _Publication(deltalake, table, state)
                touched = publication.get_ranges(reader, full=full)
                merged = [(bounds, keys) for bounds, keys in touched if keys]
                if merged:
                    progress(table.name, 0)
                rows_of_keys = read_keys(reader, table, (keys for _, keys in merged))
                too_large = [
                    bounds
                    for (bounds, keys), rows in zip(merged, rows_of_keys, strict=True)
                    if not publication.merge(bounds, keys, rows)
                ]
                for bounds in [*too_large, *(bounds for bounds, keys in touched if not keys)]:
                    slices = read_slices(reader, table, *bounds, is_new=publication.is_new)
                    slices = _show(slices, table, progress)
                    publication.publish_range(slices, bounds)
                published.append(publication.commit())
            except deltalake.exceptions.CommitFailedError as error:
                raise LakeBusy(table.name) from error
            except (deltalake.exceptions.DeltaError, AzureError, OSError) as error:
                raise LakeUnavailable(table.name, str(error).partition("\n")[0]) from error
            yield published[-1]
    if {item.table for item in published} == {table.name for table in TABLES}:
        location.write_published(
            {
                "data_version": state.data_version,
                "published_at": timezone.now().isoformat(),
                "tables": {
                    item.table: {"version": item.version, "rows": item.rows} for item in published
                },
            }
        )


def _show(
    slices: Iterator[tuple[str, pa.Table]], table: LakeTable, progress: Progress
) -> Iterator[tuple[str, pa.Table]]:
    """Yield slices, and report how many rows of the table have been read."""
    count = 0
    progress(table.name, 0)
    for start, rows in slices:
        yield start, rows
        count += len(rows)
        progress(table.name, count)


class _Publication:
    """The files of a table as they are, and those to add and to remove in one commit.

    `delta` is None before the first publication. If the columns have changed, all files are replaced.
    """

    def __init__(self, deltalake: Any, table: LakeTable, state: State) -> None:
        self._deltalake = deltalake
        self._schema = deltalake.Schema.from_arrow(table.full_schema)
        self._table = table
        self._state = state
        self._delta: DeltaTable | None = location.open_table(table)
        self._version = 0 if self._delta is None else self._delta.version() + 1
        self._is_replaced = self._delta is not None and self._delta.schema() != self._schema
        self._files = {} if self._delta is None else _read_files(self._delta)
        self._added: list[Any] = []
        self._removed: list[DataFile] = []
        self.result = Published(table.name, state.data_version)

    @property
    def is_new(self) -> bool:
        """Return whether all files are written."""
        return self._delta is None or self._is_replaced

    def get_ranges(self, reader: Reader, *, full: bool) -> list[tuple[Bounds, list[str]]]:
        """Return the slices to read again, each with the keys whose rows have changed; none: all of them.

        A slice is the first of its keys, and the one to stop before.
        """
        files = {} if self._is_replaced else self._files
        slices = get_slices(file.start for file in files.values())
        everything: list[tuple[Bounds, list[str]]] = [(bounds, []) for bounds in slices]
        if full or self._delta is None or self._is_replaced:
            return everything  # a slice for each that the table has, or one for all
        before = _read_state(self._delta)
        if before is None or before.database != self._state.database:
            return everything
        if not self._table.follows_listings:
            return everything if self._has_changed(before) else []
        changed = read_changed(reader, before)
        if changed is None:
            return everything
        return [
            (bounds, keys if self._are_few(bounds, keys) else [])
            for bounds, keys in get_touched(slices, changed)
        ]

    def _are_few(self, bounds: Bounds, keys: Sequence[str]) -> bool:
        """Return whether to read the rows of these keys costs less than all rows of their slice."""
        rows = sum(file.rows for file in self._get_files(*bounds).values())
        return len(keys) * _FEW < rows

    def _has_changed(self, before: State) -> bool:
        subject = self._table.subject
        return subject is None or before.get_version(subject) != self._state.get_version(subject)

    def merge(self, bounds: Bounds, keys: Sequence[str], rows: pa.Table) -> bool:
        """Put the rows of changed keys into the files of a slice. Return False if it gets too large."""
        files = self._get_files(*bounds).values()
        count = sum(file.rows for file in files) + len(rows)
        if count > 2 * self._table.slice_rows:
            return False
        for partition, part, old in merge(self._table, files, keys, rows):
            if len(part):
                made = make_file(self._table, bounds[0], partition, part, self._version)
                if old is not None and made[0].identity == old.identity:
                    continue
                self._write(*made)
            if old is not None:
                self._removed.append(old)
        return True

    def publish_range(self, slices: Iterator[tuple[str, pa.Table]], bounds: Bounds) -> None:
        """Write the files of a range that are not in the table yet, and note those that it has no longer."""
        before = {} if self._is_replaced else self._get_files(*bounds)
        for start, rows in slices:
            for file, content, statistics in make_files(self._table, start, rows, self._version):
                if before.pop(file.identity, None) is None:
                    self._write(file, content, statistics)
        self._removed += before.values()

    def _get_files(self, start: str, stop: str | None) -> dict[tuple[str, str, str], DataFile]:
        return {
            identity: file
            for identity, file in self._files.items()
            if file.start >= start and (stop is None or file.start < stop)
        }

    def _write(self, file: DataFile, content: bytes, statistics: str) -> None:
        path = file.get_path(self._table)
        location.write_file(f"{self._table.name}/{path}", content)
        self._added.append(
            self._deltalake.transaction.AddAction(
                path=path,
                size=file.size,
                partition_values=self._get_partition(file),
                modification_time=now(),
                data_change=True,
                stats=statistics,
            )
        )
        self.result.written += 1
        self.result.rows += file.rows
        self.result.bytes_written += file.size

    def _get_partition(self, file: DataFile) -> dict[str, str | None]:
        partition = self._table.partition
        return {partition.name: file.partition} if partition else {}

    def commit(self) -> Published:
        """Make the new files visible instead of the old ones, in one commit."""
        if self._is_replaced:
            self._removed = list(self._files.values())
        result = self.result
        result.removed = len(self._removed)
        result.kept = len(self._files) - result.removed
        result.rows += sum(file.rows for file in self._files.values())
        result.rows -= sum(file.rows for file in self._removed)
        if self._delta is None:
            self._create()
        elif self._added or self._removed or _read_state(self._delta) != self._state:
            self._write_commit(self._delta)
        else:
            result.version = self._delta.version()
            return result
        result.version = self._version
        return result

    def _create(self) -> None:
        keep = f"interval {settings.LAKE_KEEP_DAYS} days"
        self._deltalake.transaction.create_table_with_add_actions(
            location.get_uri(self._table),
            self._schema,
            self._added,
            partition_by=self._partitions,
            name=self._table.name,
            description=self._table.description,
            configuration={
                "delta.deletedFileRetentionDuration": keep,
                "delta.logRetentionDuration": keep,
            },
            storage_options=location.get_options(),
            commit_properties=self._properties,
        )

    def _write_commit(self, delta: "DeltaTable") -> None:
        remove = self._deltalake.transaction.RemoveAction
        removals = [
            remove(
                path=file.get_path(self._table),
                data_change=True,
                deletion_timestamp=now(),
                size=file.size,
                partition_values=self._get_partition(file),
            )
            for file in self._removed
        ]
        delta.create_write_transaction(
            self._added if self._is_replaced else [*self._added, *removals],
            "overwrite" if self._is_replaced else "append",
            self._schema,
            partition_by=self._partitions,
            commit_properties=self._properties,
        )

    @property
    def _partitions(self) -> list[str]:
        return [self._table.partition.name] if self._table.partition else []

    @property
    def _properties(self) -> Any:
        """The state of the database, and what makes the second of two writers fail."""
        writer = self._deltalake.Transaction(_WRITER, self._version)
        return self._deltalake.CommitProperties(
            custom_metadata=self._state.to_metadata(),
            max_commit_retries=0,
            app_transactions=[writer],
        )


def _read_files(delta: "DeltaTable") -> dict[tuple[str, str, str], DataFile]:
    actions = pa.table(delta.get_add_actions())
    columns = (actions.column(name).to_pylist() for name in ("path", "num_records", "size_bytes"))
    files = (
        DataFile.from_path(path, rows=rows, size=size)
        for path, rows, size in zip(*columns, strict=True)
    )
    return {file.identity: file for file in files}


def _read_state(delta: "DeltaTable") -> State | None:
    """Return the state that the table was published from last; None if its log no longer has it."""
    for commit in delta.history(_RECENT):
        if "dataVersion" in commit:
            return State.from_metadata(commit)
    return None
