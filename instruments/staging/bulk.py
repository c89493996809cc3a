"""The tables of a staging file, copied to SQL Server in bulk, before the transaction of the merge."""

import dataclasses
import itertools
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import mssql_python
import pyarrow as pa
from django.db import transaction

from instruments.fields import Type
from instruments.staging.layout import Layout
from marketdata.azure_sql.collation import COLLATION

# What merges read; the other tables of a staging file are parts that have been brought into these.
_MERGED = (
    *("record", "result", "venue", "known", "outside", "rejected"),
    *("entity_name", "entity_address", "entity_event", "entity_authority", "entity_successor"),
    "part_total",
    *("confirmed", "withdrawn"),  # of a republished file
)
_BATCH = 20_000  # rows
_ARRAY = 2_000  # of them in one array: a driver makes room for texts as long as their columns
# Letters: of what a published field can be, and of what else is staged; without a limit the rest.
_AS_TEXT = 40  # dates, times and decimals, as text
_OTHERS = {"isin": 50, "mic": 50, "sub_class": 1000, "field": 200, "reason": 200}
_UNLIMITED = {
    "periods",
    "qualifiers",
    "quantifiers",
    "criteria",
    "underlying_basket",
    "value",
    "record",
}

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of a staging file: its columns with their types in SQL, and its index if it has one."""

    path: Path
    name: str
    columns: dict[str, str]
    index: str

    @property
    def schema(self) -> pa.Schema:
        return pa.schema(
            [
                (name, pa.int64() if type_.startswith("bigint") else pa.string())
                for name, type_ in self.columns.items()
            ]
        )

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows; one at a time may ask for the next ones, from any thread (a driver's own, say)."""
        names = ", ".join(self.columns)
        with closing(sqlite3.connect(self.path, check_same_thread=False)) as staged:
            rows = staged.execute(f"SELECT {names} FROM {self.name} ORDER BY rowid")
            while some := rows.fetchmany(_BATCH):
                columns = zip(*some, strict=True)
                arrays = [pa.array(c, f.type) for c, f in zip(columns, self.schema, strict=True)]
                yield pa.record_batch(arrays, schema=self.schema)


def tables_of(path: Path, layout: Layout) -> list[Table]:
    """Return the tables of a staging file that its merge reads."""
    lengths = {**_OTHERS, **layout.groups.lengths}
    for field in layout.fields:
        texts = field.type in (Type.TEXT, Type.CODE)
        lengths[field.column] = (field.max_length if texts else _AS_TEXT) or 100
    tables = []
    with closing(sqlite3.connect(path)) as staged:
        for table in _MERGED:
            columns = {
                column: _type(column, kind, lengths) + (" NOT NULL PRIMARY KEY" if key else "")
                for _, column, kind, _, _, key in staged.execute(f"PRAGMA table_info({table})")
            }
            query = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ?"
            index = staged.execute(f"{query} AND sql IS NOT NULL", [table]).fetchone()
            if columns:
                tables.append(Table(path, table, columns, index[0] if index else ""))
    return tables


def _type(column: str, kind: str, lengths: dict[str, int]) -> str:
    if kind == "INTEGER":
        return "bigint"
    length = "max" if column in _UNLIMITED else str(lengths.get(column, 100))
    return f"nvarchar({length}) COLLATE {COLLATION}"


def copy(connection: Any, tables: list[Table], *, stage: str) -> None:
    """Create `stage_x` for each table x, and fill it."""
    drop(connection, tables, stage=stage)  # what a killed worker has left
    with connection.cursor() as cursor:
        for table in tables:
            columns = ", ".join(f"{name} {type_}" for name, type_ in table.columns.items())
            cursor.execute(f"CREATE TABLE {stage}_{table.name} ({columns})")
    for table in tables:
        _fill(connection, table, f"{stage}_{table.name}")
        if table.index:
            with connection.cursor() as cursor:
                cursor.execute(re.sub(r" ON (\w+) ", rf" ON {stage}_\1 ", table.index))


def drop(connection: Any, tables: list[Table], *, stage: str) -> None:
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DROP TABLE IF EXISTS {stage}_{table.name}")


def _fill(connection: Any, table: Table, target: str) -> None:
    """In bulk with mssql_python; else, or where the server takes no bulk load, row by row in batches."""
    if connection.settings_dict["OPTIONS"].get("python_driver"):
        try:
            _load_in_bulk(connection, table, target)
        except BaseException as error:
            if not is_failed_bulk_load(error):
                raise
            logger.warning("No bulk load of %s, so its rows are inserted: %s", target, error)
            with connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {target}")
        else:
            return
    _insert(connection, table, target)


def is_failed_bulk_load(error: BaseException) -> bool:
    """Return whether the rows can be inserted one by one after this error of a bulk load.

    Besides errors of the driver, that is a panic in its Rust code. A panic is no `Exception`, and its
    class, `pyo3_runtime.PanicException`, cannot be imported, so it is recognised by its name.
    """
    if isinstance(error, mssql_python.Error | RuntimeError | ValueError):
        return True
    return type(error).__name__ == "PanicException" and not isinstance(error, Exception)


def _load_in_bulk(connection: Any, table: Table, target: str) -> None:
    """On a connection of the driver's own: what it loads is there when it returns."""
    batches = table.batches()
    first = next(batches, None)
    if first is None:
        return
    parameters = connection.get_connection_params()
    timeout = parameters["OPTIONS"]["connection_timeout"]
    text = connection._build_connection_string(parameters, "")
    own = mssql_python.connect(text, token_provider=connection.credential, timeout=timeout)
    with closing(own):
        own.cursor().bulkcopy_arrow(
            target,
            pa.RecordBatchReader.from_batches(table.schema, itertools.chain([first], batches)),
            column_mappings=list(table.columns),
            batch_size=_BATCH,
            timeout=0,
            table_lock=True,
        )


def _insert(connection: Any, table: Table, target: str) -> None:
    columns = ", ".join(table.columns)
    marks = ", ".join(["%s"] * len(table.columns))
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if hasattr(cursor.cursor.cursor, "fast_executemany"):
            cursor.cursor.cursor.fast_executemany = True  # pyodbc's: a batch at a time
        for batch in table.batches():
            rows = list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
            for begin in range(0, len(rows), _ARRAY):
                some = rows[begin : begin + _ARRAY]
                cursor.executemany(f"INSERT INTO {target} ({columns}) VALUES ({marks})", some)
