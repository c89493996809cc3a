"""The description of a family of records that staging needs: FIRDS, FITRS and the volume cap have one each.

Staging knows none of these subjects. Each gives it a `Layout`, and a `Selection` if some of its records are
not to be staged.
"""

import dataclasses
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from esma_files.parsing.mapping import Mapping
from esma_files.parsing.reader import Batch
from instruments.fields import Field, Type
from instruments.staging.checks import Refusal


@dataclasses.dataclass(frozen=True)
class Checked:
    """A batch of records of one kind: the values of its columns, and what each adds to the fingerprint.

    A column without any value is neither in `columns` nor in `hashes`.
    """

    kind: str
    size: int
    columns: dict[str, pa.Array]
    hashes: dict[str, np.ndarray]

    def summed(self, names: Iterable[str], mask: int) -> np.ndarray:
        """Return the sum of the hashes of these columns for each record; 0 where none has a value."""
        total = np.zeros(self.size, dtype=np.int64)
        for name in names:
            if name in self.hashes:
                total = (total + self.hashes[name]) & mask
        return total

    def present(self, *names: str) -> np.ndarray:
        """Return which records have a value in any of these columns."""
        is_present = np.zeros(self.size, dtype=bool)
        for name in names:
            if name in self.columns:
                is_present |= self.columns[name].is_valid().to_numpy(zero_copy_only=False)
        return is_present


class Selection:
    """The records of a file that are staged: all of them, unless a subject has a selection of its own.

    A context: it is entered when a staging begins.
    """

    @property
    def omits_known(self) -> bool:
        """Return True if records are left out because the tables hold them already."""
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release what `__enter__` has opened."""

    def with_known(self) -> "Selection":
        """Return a selection that does not leave out known records."""
        return self

    def in_scope(self, batch: Batch) -> tuple[Batch, pa.RecordBatch | None]:
        """Return the records to be staged, and rows of `outside` for those that the merge decides about."""
        return batch, None

    def known(self, rows: pa.RecordBatch) -> np.ndarray | None:
        """Return for each record the key of the listing that equals it, 0 for none; None if none has one."""
        return None


@dataclasses.dataclass(frozen=True)
class Groups:
    """The staging of groups: elements that repeat within a record, and are read apart from it.

    `refuse` yields the invalid values in rows of a group; `stage` returns the staging table of the rows, and
    the rows; `columns` names the columns of records that they fill. When all rows are staged, `repeated`
    selects position, path and value where a record has a group more often than it may, and `bring_in` fills
    the columns. `left_out_wrongly` tells whether a record was taken for known before its group was read.
    """

    schema: str
    refuse: Callable[[Batch], Iterable[Refusal]]
    stage: Callable[[Batch], tuple[str, pa.RecordBatch]]
    columns: Callable[[Batch], Sequence[str]]
    repeated: str
    bring_in: Callable[[sqlite3.Connection], None]
    left_out_wrongly: Callable[[sqlite3.Connection], bool]
    # The greatest lengths of the columns of staging tables that are no fields of records.
    lengths: dict[str, int] = dataclasses.field(default_factory=dict)


def _stage_no_rows(batch: Batch) -> tuple[str, pa.RecordBatch]:
    raise AssertionError(f"records of this layout have no groups, and {batch.group!r} was read")


# Of records without groups.
NO_GROUPS = Groups(
    schema="",
    refuse=lambda batch: (),
    stage=_stage_no_rows,
    columns=lambda batch: (),
    repeated="SELECT 0 AS position, '' AS path, '' AS value WHERE 0",
    bring_in=lambda connection: None,
    left_out_wrongly=lambda connection: False,
)


@dataclasses.dataclass(frozen=True)
class Layout:
    """A family of records.

    `derive` returns the columns of staged records that are no elements, from a checked batch and the day of
    the file; `refuse` yields what is wrong with a record as a whole.
    """

    mapping: Mapping
    fields: tuple[Field, ...]
    derived: dict[str, str]  # column and type in SQL
    derive: Callable[[Checked, str], dict[str, pa.Array]]
    refuse: Callable[[Checked], Iterable[Refusal]]
    groups: Groups
    index: str  # SQL that indexes the columns that the merge looks up
    # SQL on a staged record `r`: whether the value of a field's column is of this path, where paths share it.
    holds: Callable[[Field], str] = lambda field: "1"
    # Remarks about a complete staging file, for the report of the run.
    remarks: Callable[[sqlite3.Connection], list[str]] = lambda connection: []

    @property
    def schema(self) -> str:
        """The SQL that creates the staging tables.

        `known` names the records that the tables hold already, `outside` those that are not in scope by their
        own content, and `rejected` each invalid value of a record.
        """
        columns = {"position": "INTEGER PRIMARY KEY", **self.derived}
        for field in self.fields:
            columns[field.column] = "INTEGER" if field.type is Type.BOOLEAN else "TEXT"
        return f"""
            PRAGMA page_size=32768;
            CREATE TABLE record ({", ".join(f"{name} {type_}" for name, type_ in columns.items())});
            CREATE TABLE known (position INTEGER PRIMARY KEY, listing_id INTEGER);
            CREATE TABLE outside (position INTEGER PRIMARY KEY, isin TEXT, mic TEXT);
            CREATE TABLE rejected (
                position INTEGER, isin TEXT, mic TEXT, field TEXT, value TEXT, reason TEXT, record TEXT);
            {self.groups.schema}
        """

    def paths(self, column: str) -> list[str]:
        """Return the paths of the elements whose values a column holds."""
        return [field.path for field in self.fields if field.column == column]
