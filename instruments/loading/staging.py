"""A staging file: one ESMA file's records, checked, in a SQLite file of their own.

It is written by ADBC, straight from Arrow, outside the database: nobody waits for it, and it may be
thrown away at any moment. The merge attaches it.
"""

import contextlib
import dataclasses
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import adbc_driver_manager.dbapi as adbc
import adbc_driver_sqlite
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esma_files.errors import UnsupportedKind
from esma_files.names import FileName
from esma_files.parsing.reader import Batch, EsmaReader, Limits
from instruments.loading import checks, fingerprint, groups
from instruments.loading.known import Known, Tables
from instruments.records import (
    FIELDS,
    MAPPINGS,
    Field,
    RecordKind,
    Type,
)

_REJECTED = pa.schema(
    [("position", pa.int64())]
    + [(name, pa.string()) for name in ("isin", "mic", "field", "value", "reason", "record")]
)
# Told the number of records read so far, and the share of the file, from 0 to 1.
Progress = Callable[[int, float], None]
_ENDED = {RecordKind.TERMINATED: "terminated", RecordKind.CANCELLED: "cancelled"}
_ACTIVE = "active"
_SCHEMA = f"""
PRAGMA page_size=32768;
CREATE TABLE record (
    position INTEGER PRIMARY KEY, record_kind TEXT, status TEXT, valid_from TEXT,
    fingerprint INTEGER,
    {", ".join(f"{f.column} {'INTEGER' if f.type is Type.BOOLEAN else 'TEXT'}" for f in FIELDS)},
    {", ".join(f"{column} TEXT" for column in groups.COLUMNS)}
);
CREATE TABLE known (position INTEGER PRIMARY KEY);
{groups.SCHEMA}
CREATE TABLE rejected (
    position INTEGER, isin TEXT, mic TEXT, field TEXT, value TEXT, reason TEXT, record TEXT
);
"""


def _as_json(fields: tuple[Field, ...]) -> str:
    """A staged record `r` as a JSON object, path to value; `json_patch` leaves out what is NULL."""
    pairs = ", ".join(f"'{field.path}', r.{field.column}" for field in fields)
    return f"json_object({pairs})"


# What was refused for a group has been staged as a record too: it goes, and its fields are kept.
_HALF = len(FIELDS) // 2  # a function of SQLite's takes 127 arguments at most
_TAKE_OUT = f"""
UPDATE rejected SET isin = r.isin, mic = r.mic, record = json_patch(
    json_patch(rejected.record, {_as_json(FIELDS[:_HALF])}), {_as_json(FIELDS[_HALF:])})
FROM record r WHERE r.position = rejected.position;
DELETE FROM record WHERE position IN (SELECT position FROM rejected);
"""


@dataclasses.dataclass(frozen=True)
class Staged:
    """A staging file, and what was found while it was written."""

    path: Path
    columns: frozenset[str]  # of `record`: those that have a value somewhere
    read: int
    known: int  # records that the tables hold already: they are not in the file
    rejected: int
    unmapped: dict[str, int]
    seconds: float

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def stage(
    source: IO[bytes],
    *,
    name: str,
    path: Path,
    limits: Limits,
    tables: Tables,
    progress: Progress = lambda records, share: None,
) -> Staged:
    """Write the records of the zip `source`, published as `name`, into a new staging file.

    Only those that `tables` does not hold already. Raises the errors of esma_files.errors; no
    staging file is left then.
    """
    file = FileName.parse(name)
    if file.kind not in MAPPINGS:
        raise UnsupportedKind(name, f"{file.kind} files cannot be loaded yet")
    started = time.monotonic()
    day = file.published_on.isoformat()
    try:
        for only_unknown in (True, False):
            _create(path)
            reader = EsmaReader(source, name=name, mapping=MAPPINGS[file.kind], limits=limits)
            with _Writer(path, day=day, tables=tables if only_unknown else None) as writer:
                for batch in reader:
                    writer.write(batch)
                    progress(reader.records, reader.share_read)
            if not _left_out_wrongly(path):
                break  # else all is staged anew, and none is left out
        rejected = _finish(path, name)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Staged(
        path=path,
        columns=frozenset(writer.columns),
        read=reader.records,
        known=writer.known,
        rejected=rejected,
        unmapped=reader.unmapped,
        seconds=time.monotonic() - started,
    )


def _create(path: Path) -> None:
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(_SCHEMA)


def _left_out_wrongly(path: Path) -> bool:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return groups.known_without(connection)


class _Writer:
    """Checks batches and appends them to a staging file, in one transaction."""

    def __init__(self, path: Path, *, day: str, tables: Tables | None) -> None:
        self._day = day
        self._tables = tables
        self._connection = adbc.connect(
            driver=adbc_driver_sqlite._driver_path(),
            db_kwargs={"uri": str(path)},
            autocommit=True,
        )
        self.columns: set[str] = set()  # that have a value in any record
        self.known = 0

    def __enter__(self) -> "_Writer":
        self._cursor = self._connection.cursor()
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-32768"):
            self._cursor.execute(f"PRAGMA {pragma}")
        self._known = Known(self._tables) if self._tables else None
        self._connection.adbc_connection.set_autocommit(False)
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._connection.adbc_connection.commit()
        self._cursor.close()
        self._connection.close()
        if self._known:
            self._known.close()

    def write(self, batch: Batch) -> None:
        if not batch.group:
            self._write_records(batch)
            return
        # The records themselves are staged by another batch: `_finish` takes them out.
        self._ingest("rejected", _rejected(batch, list(groups.refusals(batch))))
        self.columns |= set(groups.columns_of(batch))
        self._ingest(batch.group, groups.staged(batch))

    def _write_records(self, batch: Batch) -> None:
        size = len(batch.rows)
        columns: dict[str, pa.Array] = {}
        hashes = np.zeros(size, dtype=np.int64)
        refused: list[checks.Refusal] = []
        for field, texts in zip(FIELDS, batch.rows.columns, strict=True):
            column = checks.check(field, texts)
            columns[field.column] = column.values
            refused += column.refusals
            if column.hashes is not None:
                hashes = (hashes + column.hashes) & fingerprint.MASK
        said = [columns[c] for c in ("published_period_from", "published_from", "published_on")]
        there = {name: values for name, values in columns.items() if values.null_count < size}
        self.columns |= there.keys()
        rows = pa.RecordBatch.from_pydict(
            {
                "position": pa.array(batch.positions + 1),
                "record_kind": pa.repeat(str(batch.kind), size),
                "status": pa.repeat(_ENDED.get(RecordKind(batch.kind), _ACTIVE), size),
                "valid_from": pc.coalesce(*said, self._day),
                "fingerprint": pa.array(hashes),
                **there,
            }
        )
        if refused:
            good = np.ones(size, dtype=bool)
            good[[refusal.row for refusal in refused]] = False
            self._ingest("rejected", _rejected(batch, refused))
            rows = rows.filter(pa.array(good))
        if self._known and (known := self._known.among(rows)).any():
            self.known += int(known.sum())
            self._ingest("known", rows.select(["position"]).filter(pa.array(known)))
            rows = rows.filter(pa.array(~known))
        self._ingest("record", rows)

    def _ingest(self, table: str, rows: pa.RecordBatch) -> None:
        if len(rows):
            self._cursor.adbc_ingest(table, rows, mode="append")


def _rejected(batch: Batch, refused: list[checks.Refusal]) -> pa.RecordBatch:
    names = batch.rows.schema.names
    records: dict[int, dict[str, str]] = {}
    for row in {refusal.row for refusal in refused}:
        values = zip(names, (column[row].as_py() for column in batch.rows.columns), strict=True)
        records[row] = {name: value for name, value in values if value is not None}
    isin, mic = FIELDS[0].path, FIELDS[1].path
    return pa.RecordBatch.from_pylist(
        [
            {
                "position": int(batch.positions[refusal.row]) + 1,
                "isin": records[refusal.row].get(isin, "")[:50],
                "mic": records[refusal.row].get(mic, "")[:50],
                "field": refusal.field.path,
                "value": refusal.value or "",
                "reason": refusal.reason,
                "record": json.dumps(records[refusal.row], ensure_ascii=False),
            }
            for refusal in refused
        ],
        schema=_REJECTED,
    )


def _finish(path: Path, name: str) -> int:
    """Bring baskets and commodities into their records, take out what was rejected for one of
    these, and index the records by key. Returns how many records were rejected.
    """
    with contextlib.closing(sqlite3.connect(path)) as connection:
        groups.bring_in(connection, file_name=name)
        connection.executescript(_TAKE_OUT)
        connection.execute("CREATE INDEX record_key ON record (isin, mic)")
        connection.execute("ANALYZE")
        connection.commit()
        (rejected,) = connection.execute("SELECT count(DISTINCT position) FROM rejected").fetchone()
    return int(rejected)
