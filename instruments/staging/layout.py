"""What staging must know of a family of records: FIRDS (`firds.py`), FITRS (`fitrs.py`)
and the volume cap (`volume_caps.py`) are three.
"""

import dataclasses
import sqlite3
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow as pa

from esma_files.parsing.mapping import Mapping
from esma_files.parsing.reader import Batch
from instruments.fields import Field, Type
from instruments.listings.load import scope
from instruments.staging.checks import Refusal


@dataclasses.dataclass(frozen=True)
class Checked:
    """A batch of records of one kind: what its columns hold, and what each adds to the fingerprint.

    A column without any value is neither in `columns` nor in `hashes`.
    """

    kind: str
    size: int
    columns: dict[str, pa.Array]
    hashes: dict[str, np.ndarray]

    def summed(self, names: Iterable[str], mask: int) -> np.ndarray:
        """The hashes of these columns, summed; 0 where none has a value."""
        total = np.zeros(self.size, dtype=np.int64)
        for name in names:
            if name in self.hashes:
                total = (total + self.hashes[name]) & mask
        return total

    def present(self, *names: str) -> np.ndarray:
        """Which records have a value in any of these columns."""
        found = np.zeros(self.size, dtype=bool)
        for name in names:
            if name in self.columns:
                found |= self.columns[name].is_valid().to_numpy(zero_copy_only=False)
        return found


@dataclasses.dataclass(frozen=True)
class Groups:
    """How the rows of groups are staged: `refuse` says what is wrong with them, `stage` makes the rows
    of a staging table of the group's name, `columns` names what they fill, `bring_in` ties them to
    their records when all are there. `left_out_wrongly`: see `known.py`.
    """

    schema: str
    refuse: Callable[[Batch], Iterable[Refusal]]
    stage: Callable[[Batch], tuple[str, pa.RecordBatch]]
    columns: Callable[[Batch], Sequence[str]]
    bring_in: Callable[[sqlite3.Connection, str], None]
    left_out_wrongly: Callable[[sqlite3.Connection], bool]


@dataclasses.dataclass(frozen=True)
class Layout:
    """A family of records. `derive` gives the columns of the staged records that no element is, from
    a checked batch and the day of the file; `refuse` what is wrong with a record as a whole.
    """

    mapping: Mapping
    fields: tuple[Field, ...]
    derived: dict[str, str]  # column and type in SQL
    derive: Callable[[Checked, str], dict[str, pa.Array]]
    refuse: Callable[[Checked], Iterable[Refusal]]
    groups: Groups
    index: str  # SQL that indexes what the merge looks up
    asks_what_is_known: bool
    scoped: bool  # whether a scope is applied to its records
    # SQL on a staged record `r`: whether a field's column is this path's, where several share it.
    holds: Callable[[Field], str] = lambda field: "1"

    @property
    def schema(self) -> str:
        """The staging tables."""
        columns = {"position": "INTEGER PRIMARY KEY", **self.derived}
        for field in self.fields:
            columns[field.column] = "INTEGER" if field.type is Type.BOOLEAN else "TEXT"
        return f"""
            PRAGMA page_size=32768;
            CREATE TABLE record ({", ".join(f"{name} {type_}" for name, type_ in columns.items())});
            CREATE TABLE known (position INTEGER PRIMARY KEY, listing_id INTEGER);
            {scope.SCHEMA}
            CREATE TABLE rejected (
                position INTEGER, isin TEXT, mic TEXT, field TEXT, value TEXT, reason TEXT, record TEXT);
            {self.groups.schema}
        """

    def paths(self, column: str) -> list[str]:
        """The paths of the elements that a column holds."""
        return [field.path for field in self.fields if field.column == column]
