"""The publication of one table: its files as they are, and those to add and to remove in one commit."""

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from django.conf import settings

from lake import location
from lake.files import DataFile, make_files, now
from lake.state import State, get_slices
from lake.tables import Bounds, LakeTable

if TYPE_CHECKING:
    from deltalake import DeltaTable

# The writer of all commits: of two that publish at once, the second fails.
_WRITER = "marketdata"
# Commits that are looked through for the newest one that was published: `vacuum` makes others.
_RECENT = 100


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


class Publication:
    """The files of a table as they are, and those to add and to remove in one commit.

    If the columns have changed, all files are replaced.
    """

    def __init__(self, deltalake: Any, table: LakeTable, state: State) -> None:
        self._deltalake = deltalake
        self._schema = deltalake.Schema.from_arrow(table.full_schema)
        self._table = table
        self._state = state
        self._remarks: dict[str, int] = {}
        self._delta: DeltaTable | None = location.open_table(table)
        self._version = 0 if self._delta is None else self._delta.version() + 1
        self._is_replaced = self._delta is not None and self._delta.schema() != self._schema
        self._files = {} if self._delta is None else _read_files(self._delta)
        self._added: list[Any] = []
        self._removed: list[DataFile] = []
        self._last = {} if self._delta is None else _read_last_commit(self._delta)
        self.result = Published(table.name, state.data_version)

    @property
    def is_new(self) -> bool:
        """Return whether all files are written."""
        return self._delta is None or self._is_replaced

    @property
    def before(self) -> State | None:
        """The state of the database at the last publication; None if its rows cannot be added to."""
        if self.is_new or not self._last:
            return None
        state = State.from_metadata(self._last)
        return state if state.database == self._state.database else None

    @property
    def rows(self) -> int:
        """The rows of the table as it is published."""
        return sum(file.rows for file in self._files.values())

    def get_remark(self, name: str) -> int | None:
        """Return what the last commit says beside its state."""
        value = self._last.get(name)
        return None if value is None else int(value)

    def remark(self, name: str, value: int) -> None:
        """Say something in the commit beside the state."""
        self._remarks[name] = value

    def get_ranges(self, *, full: bool) -> list[Bounds]:
        """Return the slices to read again, all rows as one if `full`: they are cut anew then."""
        if not full and not self._may_have_changed():
            return []
        files = {} if full or self._is_replaced else self._files
        return get_slices(file.start for file in files.values())

    def _may_have_changed(self) -> bool:
        """Return whether the data of the subject of the table have another version than before."""
        before, subject = self.before, self._table.subject
        if before is None or subject is None:
            return True
        return before.get_version(subject) != self._state.get_version(subject)

    def publish_range(
        self, slices: Iterable[tuple[str, Iterable[pa.Table]]], bounds: Bounds
    ) -> None:
        """Write the files of a range that are not in the table yet, and note those that it has no longer."""
        before = {} if self._is_replaced else self._get_files(*bounds)
        for start, batches in slices:
            for file, content, statistics in make_files(self._table, start, batches, self._version):
                if before.pop(file.identity, None) is None:
                    self._write(file, content, statistics)
        self._removed += before.values()

    def add(self, start: str, batches: Iterable[pa.Table]) -> None:
        """Write the files of some rows, and keep all others."""
        for made in make_files(self._table, start, batches, self._version):
            self._write(*made)

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
        elif self._added or self._removed or not self._is_up_to_date():
            self._write_commit(self._delta)
        else:
            return self.leave()
        result.version = self._version
        return result

    def leave(self) -> Published:
        """Return the table as it was published before."""
        version = self._version - 1
        return dataclasses.replace(
            self.result,
            data_version=self.before.data_version if self.before else self.result.data_version,
            version=version,
            rows=self.rows,
            kept=len(self._files),
        )

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

    def _is_up_to_date(self) -> bool:
        """Return whether the last commit says what the next one would, or all that concerns the table."""
        if self._table.subject is not None:
            return not self._may_have_changed()
        return all(
            str(self._last.get(name)) == str(value) for name, value in self._metadata.items()
        )

    @property
    def _metadata(self) -> dict[str, Any]:
        return {**self._state.to_metadata(), **self._remarks}

    @property
    def _properties(self) -> Any:
        """The state of the database, and what makes the second of two writers fail."""
        writer = self._deltalake.Transaction(_WRITER, self._version)
        return self._deltalake.CommitProperties(
            custom_metadata=self._metadata,
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


def _read_last_commit(delta: "DeltaTable") -> dict[str, Any]:
    """Return the last commit that published the table; nothing if its log no longer has it."""
    for commit in delta.history(_RECENT):
        if "dataVersion" in commit:
            return commit
    return {}
