"""Writing a staging file: batches of records are checked and appended."""

import contextlib
import functools
import sqlite3
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import adbc_driver_manager.dbapi as adbc
import adbc_driver_sqlite
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esma_files.parsing.reader import BATCH_ROWS, Batch, together
from instruments.listings.fields import RecordKind
from instruments.listings.load import scope as in_scope
from instruments.models import Scope
from instruments.staging import checks, rejected
from instruments.staging.known import Known, Tables
from instruments.staging.layout import Checked, Layout

_APPENDING = 2  # batches that wait to be appended


def create(path: Path, layout: Layout) -> None:
    """An empty staging file."""
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(layout.schema)


class StageWriter:
    """Checks batches and appends them to a staging file, in one transaction.

    One batch is appended, by a thread of its own, while the next is checked.
    """

    def __init__(
        self, path: Path, *, layout: Layout, day: str, tables: Tables | None, scope: Scope
    ) -> None:
        self._layout = layout
        self._scope = scope
        self._fields = {field.path: field for field in layout.fields}
        self._day = day
        self._tables = tables
        self._connection = adbc.connect(
            driver=adbc_driver_sqlite._driver_path(),
            db_kwargs={"uri": str(path)},
            autocommit=True,
        )
        self.columns: set[str] = set()  # that have a value in any record
        self.known = 0
        self._waiting: dict[str, list[Batch]] = {}

    def __enter__(self) -> "StageWriter":
        self._known = Known(self._tables) if self._tables else None
        self._cursor = self._connection.cursor()
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-32768"):
            self._cursor.execute(f"PRAGMA {pragma}")
        self._connection.adbc_connection.set_autocommit(False)
        self._appender = ThreadPoolExecutor(1, "append")
        self._appending: deque[Future[int]] = deque()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._appender.shutdown(cancel_futures=error[0] is not None)
            if error[0] is None:
                self._await(0)
                self._connection.adbc_connection.commit()
        finally:
            self._cursor.close()
            self._connection.close()
            if self._known:
                self._known.close()

    def write(self, batch: Batch) -> None:
        if not batch.group:
            if len((kept := self._in_scope(batch)).rows):
                self._write_enough(kept)
            return
        # The records themselves are staged by another batch: `_finish` takes them out.
        groups = self._layout.groups
        self._reject(batch, list(groups.refuse(batch)))
        self.columns |= set(groups.columns(batch))
        self._ingest(*groups.stage(batch))

    def write_rest(self) -> None:
        for waiting in self._waiting.values():
            self._write_records(together(waiting))
        self._waiting.clear()

    def _write_enough(self, batch: Batch) -> None:
        """A delta has few records of most kinds: checking ten costs as much as checking a thousand."""
        waiting = self._waiting.setdefault(batch.kind, [])
        waiting.append(batch)
        if sum(len(one.rows) for one in waiting) >= BATCH_ROWS:
            self._write_records(together(self._waiting.pop(batch.kind)))

    def _in_scope(self, batch: Batch) -> Batch:
        """Note the records that do not say that they are in scope: the merge decides about them.

        Most records of a full file are of listings that the tables do not have: these are left out.
        """
        inside = in_scope.is_in_scope(self._scope, batch)
        if inside.all():
            return batch
        outside = in_scope.outside_rows(batch, ~inside)
        self._ingest("outside", outside)
        if batch.kind != RecordKind.FULL or self._known is None:
            return batch
        inside[~inside] = self._known.listed(outside["isin"], outside["mic"])
        return in_scope.filtered(batch, inside)

    def _write_records(self, batch: Batch) -> None:
        checked, refused = self._check(batch)
        refused += self._layout.refuse(checked)
        self.columns |= checked.columns.keys()
        size = checked.size
        derived = self._layout.derive(checked, self._day)
        rows = pa.RecordBatch.from_pydict(
            {"position": pa.array(batch.positions + 1), **derived, **checked.columns}
        )
        if refused:
            good = np.ones(size, dtype=bool)
            good[[refusal.row for refusal in refused]] = False
            self._reject(batch, refused)
            rows = rows.filter(pa.array(good))
        if self._known and (listings := self._known.among(rows)).any():
            known = pa.array(listings != 0)
            found = rows.select(["position"]).append_column("listing_id", pa.array(listings))
            self.known += known.true_count
            self._ingest("known", found.filter(known))
            rows = rows.filter(pc.invert(known))
        self._ingest("record", rows)

    def _check(self, batch: Batch) -> tuple[Checked, list[checks.Refusal]]:
        """Check each column; paths of which a record has one at most may share a column."""
        checked = Checked(batch.kind, len(batch.rows), {}, {})
        refused: list[checks.Refusal] = []
        for path, texts in zip(batch.rows.schema.names, batch.rows.columns, strict=True):
            field = self._fields[path]
            column = checks.check(field, texts)
            refused += column.refusals
            if column.values.null_count == checked.size:
                continue
            if (other := checked.columns.get(field.column)) is not None:
                both = pc.and_(other.is_valid(), column.values.is_valid())
                for row in np.flatnonzero(both.to_numpy(zero_copy_only=False)).tolist():
                    said = "stands there twice, in two places"
                    refused.append(checks.Refusal(row, field, texts[row].as_py(), said))
            shared = column.values if other is None else pc.coalesce(other, column.values)
            checked.columns[field.column] = shared
            if column.hashes is not None:
                hashed = checked.hashes.get(field.column)
                checked.hashes[field.column] = (
                    column.hashes if hashed is None else hashed + column.hashes
                )
        return checked, refused

    def _reject(self, batch: Batch, refused: list[checks.Refusal]) -> None:
        if refused:
            self._ingest("rejected", rejected.rows(batch, refused, self._layout))

    def _ingest(self, table: str, rows: pa.RecordBatch) -> None:
        if len(rows):
            append = functools.partial(self._cursor.adbc_ingest, table, rows, mode="append")
            self._appending.append(self._appender.submit(append))
            self._await(_APPENDING)

    def _await(self, left: int) -> None:
        while len(self._appending) > left:
            self._appending.popleft().result()
