"""Writes a staging file: batches of records are checked and appended.

It does without `adbc_driver_manager.dbapi`, which imports pandas and polars where they are installed.
"""

import contextlib
import hashlib
import json
import sqlite3
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import adbc_driver_manager as adbc
import adbc_driver_sqlite
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esma_files.parsing.reader import BATCH_ROWS, Batch, together
from esma_files.parsing.repeats import Repeats
from instruments.fields import Field
from instruments.staging import checks
from instruments.staging.checks import Refusal
from instruments.staging.layout import Checked, Layout, Selection

_MAX_WAITING = 2  # batches that wait to be appended
# A text of a rejected record with more characters is cut. The reader cuts texts of more than 10,000 bytes
# in the same way (esma_files/parsing/stream.py), and these are not cut again.
_LONGEST_KEPT, _EXCERPT = 2_200, 2_000
_REJECTED_SCHEMA = pa.schema(
    [("position", pa.int64())]
    + [(name, pa.string()) for name in ("isin", "mic", "field", "value", "reason", "record")]
)


def create(path: Path, layout: Layout) -> None:
    """Create an empty staging file."""
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(layout.schema)


class StageWriter:
    """Checks batches and appends them to a staging file, in one transaction.

    One batch is appended, by a thread of its own, while the next is checked. Records with repeated elements,
    which are in `repeats` before they are written, are rejected.
    """

    def __init__(
        self, path: Path, *, layout: Layout, day: str, selection: Selection, repeats: Repeats
    ) -> None:
        self._layout = layout
        self._repeats = repeats
        self._selection = selection
        self._fields = {field.path: field for field in layout.fields}
        self._day = day
        self._database = adbc.AdbcDatabase(driver=adbc_driver_sqlite._driver_path(), uri=str(path))
        self._connection = adbc.AdbcConnection(self._database)
        self.columns: set[str] = set()  # that have a value in some record
        self.known = 0
        self._waiting: dict[str, list[Batch]] = {}

    def __enter__(self) -> Self:
        self._selection.__enter__()
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-32768"):
            with adbc.AdbcStatement(self._connection) as statement:
                statement.set_sql_query(f"PRAGMA {pragma}")
                statement.execute_update()
        self._connection.set_autocommit(False)
        self._appender = ThreadPoolExecutor(1, "append")
        self._appending: deque[Future[int]] = deque()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._appender.shutdown(cancel_futures=error is not None)
            if error is None:
                self._await(0)
                self._connection.commit()
        finally:
            self._connection.close()
            self._database.close()
            self._selection.__exit__(error_type, error, traceback)

    def write(self, batch: Batch) -> None:
        """Check and append a batch of records, or of rows of a group."""
        if not batch.group:
            self._write_in_scope(batch)
            return
        # The records themselves are staged by another batch. Rejected ones are deleted in the end.
        groups = self._layout.groups
        self._reject(batch, list(groups.refuse(batch)))
        self.columns |= set(groups.columns(batch))
        self._ingest(*groups.stage(batch))

    def write_rest(self) -> None:
        """Append the records that are still kept back."""
        for batches in self._waiting.values():
            self._write_records(together(batches))
        self._waiting.clear()

    def _write_in_scope(self, batch: Batch) -> None:
        """Keep small batches back: checking ten records costs as much as checking a thousand."""
        batch, outside = self._selection.in_scope(batch)
        if outside is not None:
            self._ingest("outside", outside)
        if not len(batch.rows):
            return
        batches = self._waiting.setdefault(batch.kind, [])
        batches.append(batch)
        if sum(len(waiting.rows) for waiting in batches) >= BATCH_ROWS:
            self._write_records(together(self._waiting.pop(batch.kind)))

    def _write_records(self, batch: Batch) -> None:
        checked, refusals = self._check(batch)
        refusals += self._layout.refuse(checked)
        refusals += self._refuse_repeats(batch)
        self.columns |= checked.columns.keys()
        derived = self._layout.derive(checked, self._day)
        rows = pa.RecordBatch.from_pydict(
            {"position": pa.array(batch.positions + 1), **derived, **checked.columns}
        )
        if refusals:
            is_valid = np.ones(checked.size, dtype=bool)
            is_valid[[refusal.row for refusal in refusals]] = False
            self._reject(batch, refusals)
            rows = rows.filter(pa.array(is_valid))
        self._ingest("record", self._without_known(rows))

    def _without_known(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Note the records that the tables hold already, and return the others."""
        listings = self._selection.known(rows)
        if listings is None or not listings.any():
            return rows
        is_known = pa.array(listings != 0)
        known = rows.select(["position"]).append_column("listing_id", pa.array(listings))
        self.known += is_known.true_count
        self._ingest("known", known.filter(is_known))
        return rows.filter(pc.invert(is_known))

    def _check(self, batch: Batch) -> tuple[Checked, list[Refusal]]:
        """Check each column. Several paths may share a column if a record has only one of them."""
        checked = Checked(batch.kind, len(batch.rows), {}, {})
        refusals: list[Refusal] = []
        for path, texts in zip(batch.rows.schema.names, batch.rows.columns, strict=True):
            field = self._fields[path]
            column = checks.check(field, texts)
            refusals += column.refusals
            if column.values.null_count == checked.size:
                continue
            values, hashes = column.values, column.hashes
            if (other := checked.columns.get(field.column)) is not None:
                in_both = pc.and_(other.is_valid(), values.is_valid())
                for row in np.flatnonzero(in_both.to_numpy(zero_copy_only=False)).tolist():
                    reason = "has a value in two places of the record"
                    refusals.append(Refusal(row, field, texts[row].as_py(), reason))
                values = pc.coalesce(other, values)
            checked.columns[field.column] = values
            if hashes is not None:
                other_hashes = checked.hashes.get(field.column)
                checked.hashes[field.column] = (
                    hashes if other_hashes is None else other_hashes + hashes
                )
        return checked, refusals

    def _refuse_repeats(self, batch: Batch) -> Iterator[Refusal]:
        if not self._repeats:
            return
        is_repeated = np.isin(batch.positions, list(self._repeats))
        for row in np.flatnonzero(is_repeated).tolist():
            for path, text in self._repeats[int(batch.positions[row])]:
                yield Refusal(row, Field("", path), text, "occurs more than once in the record")

    def _reject(self, batch: Batch, refusals: list[Refusal]) -> None:
        if refusals:
            self._ingest("rejected", _rejected_rows(batch, refusals, self._layout, self._repeats))

    def _ingest(self, table: str, rows: pa.RecordBatch) -> None:
        if len(rows):
            self._appending.append(self._appender.submit(self._append, table, rows))
            self._await(_MAX_WAITING)

    def _append(self, table: str, rows: pa.RecordBatch) -> int:
        options = {
            adbc.INGEST_OPTION_TARGET_TABLE: table,
            adbc.INGEST_OPTION_MODE: adbc.INGEST_OPTION_MODE_APPEND,
        }
        with adbc.AdbcStatement(self._connection) as statement:
            statement.set_options(**options)
            statement.bind(rows)
            return int(statement.execute_update())

    def _await(self, remaining: int) -> None:
        while len(self._appending) > remaining:
            self._appending.popleft().result()


def _rejected_rows(
    batch: Batch, refusals: list[Refusal], layout: Layout, repeats: Repeats
) -> pa.RecordBatch:
    """Return a row for each refusal, with the record as it was read.

    This is a JSON object of path to value, or to a list of values where an element is repeated.
    """
    names = batch.rows.schema.names
    records: dict[int, dict[str, str | list[str]]] = {}
    for row in {refusal.row for refusal in refusals}:
        values = zip(names, (column[row].as_py() for column in batch.rows.columns), strict=True)
        records[row] = {name: _excerpt(value) for name, value in values if value is not None}
        for path, text in repeats.get(int(batch.positions[row]), []):
            first = records[row].get(path, [])
            texts = [first] if isinstance(first, str) else first
            records[row][path] = [*texts, _excerpt(text)]
    isin_paths, mic_paths = layout.paths("isin"), layout.paths("mic")
    return pa.RecordBatch.from_pylist(
        [
            {
                "position": int(batch.positions[refusal.row]) + 1,
                "isin": _first_value(records[refusal.row], isin_paths)[:50],
                "mic": _first_value(records[refusal.row], mic_paths)[:50],
                "field": refusal.field.path,
                "value": _excerpt(refusal.value or ""),
                "reason": refusal.reason,
                "record": json.dumps(records[refusal.row], ensure_ascii=False),
            }
            for refusal in refusals
        ],
        schema=_REJECTED_SCHEMA,
    )


def _first_value(record: dict[str, str | list[str]], paths: list[str]) -> str:
    value = next((record[path] for path in paths if path in record), "")
    return value if isinstance(value, str) else value[0]


def _excerpt(text: str) -> str:
    """Return a text that is kept for people to look at; a long one is cut, with its length and SHA-256."""
    if len(text) <= _LONGEST_KEPT:
        return text
    data = text.encode()
    digest = hashlib.sha256(data).hexdigest()
    return f"{text[:_EXCERPT]}… [cut: {len(data):,} bytes, SHA-256 {digest}]"
