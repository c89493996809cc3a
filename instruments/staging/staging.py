"""Staging files: the checked records of one published file, in a SQLite file of their own.

They are written by ADBC, straight from Arrow, outside the database: nobody waits for them, and they may be
deleted at any moment. The merge attaches them. A file is staged whole before its merge begins, so that a file
that cannot be read to its end, or is damaged anywhere, leaves nothing in the tables.
"""

import contextlib
import dataclasses
import datetime as dt
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from esma_files.errors import RepeatedElement
from esma_files.names import FileName
from esma_files.parsing.csv_reader import CsvReader
from esma_files.parsing.reader import Batch, EsmaReader, Limits
from instruments.staging.layout import Layout, Selection
from instruments.staging.writer import StageWriter, create

# Called with the number of records read so far, and the share of the file, from 0 to 1.
Progress = Callable[[int, float], None]
# A staging file that is not completed is deleted, so that nothing need be kept to undo its changes.
_COMPLETING = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-32768;"
_PAIRS = 60  # a function of SQLite takes at most 127 arguments


@dataclasses.dataclass(frozen=True)
class Staged:
    """A staging file, and what was counted while it was written."""

    path: Path
    layout: Layout
    columns: frozenset[str]  # of `record`: those that have a value in some record
    read: int  # records of the published file
    known: int  # records that the tables hold already: they are not staged
    unmapped: dict[str, int]  # elements without a field, with their count
    remarks: list[str]  # about the records, for the report of the run
    seconds: float  # that reading and staging took
    created_at: dt.datetime | None = None  # CreDt in the header; None if the file was not read


@dataclasses.dataclass(frozen=True)
class Staging:
    """The staging of one published file.

    `name` is its published name, `dataset` the one that its sender must belong to ("": any sender), `folder`
    where the staging file is written.
    """

    name: str
    dataset: str
    folder: Path
    layout: Layout
    limits: Limits
    selection: Selection = dataclasses.field(default_factory=Selection)
    progress: Progress = lambda records, share: None

    def stage(self, source: IO[bytes]) -> Staged:
        """Write the selected records of the zip `source` into a new staging file.

        Raises the errors of esma_files.errors, and leaves no staging file then.
        """
        try:
            return self._stage(source, sets_repeats_aside=False)
        except RepeatedElement:
            return self._stage(source, sets_repeats_aside=True)

    def _stage(self, source: IO[bytes], *, sets_repeats_aside: bool) -> Staged:
        staged = self._write(source, self.selection, sets_repeats_aside=sets_repeats_aside)
        if not (self.selection.omits_known and self._has_left_out_wrongly()):
            return staged
        selection = self.selection.with_known()
        return self._write(source, selection, sets_repeats_aside=sets_repeats_aside)

    def stage_nothing(self) -> Staged:
        """Write an empty staging file, for a file that is not read because nothing in it is in scope."""
        create(self._path, self.layout)
        _complete(self._path, self.layout)
        return Staged(self._path, self.layout, frozenset(), 0, 0, {}, [], 0.0)

    @property
    def _path(self) -> Path:
        return self.folder / "staged.sqlite3"

    def _write(
        self, source: IO[bytes], selection: Selection, *, sets_repeats_aside: bool
    ) -> Staged:
        started = time.monotonic()
        name = FileName.parse(self.name)
        reader = (CsvReader if name.kind.ending == ".csv" else EsmaReader)(
            source,
            name=self.name,
            mapping=self.layout.mapping,
            limits=self.limits,
            dataset=self.dataset,
            sets_repeats_aside=sets_repeats_aside,
        )
        day = name.published_on.isoformat()
        create(self._path, self.layout)
        try:
            with (
                StageWriter(
                    self._path,
                    layout=self.layout,
                    day=day,
                    selection=selection,
                    repeats=reader.repeats,
                ) as writer,
                contextlib.closing(iter(reader)) as batches,
            ):
                for batch in batches:
                    writer.write(batch)
                    self.progress(reader.records, reader.share_read)
                writer.write_rest()
            remarks = _complete(self._path, self.layout)
        except BaseException:
            self._path.unlink(missing_ok=True)
            raise
        return Staged(
            path=self._path,
            layout=self.layout,
            columns=frozenset(writer.columns),
            read=reader.records,
            known=writer.known,
            unmapped=reader.unmapped,
            remarks=remarks,
            seconds=time.monotonic() - started,
            created_at=reader.created_at,
        )

    def _has_left_out_wrongly(self) -> bool:
        """Return whether a record was taken for known before its group was read."""
        with contextlib.closing(sqlite3.connect(self._path)) as connection:
            return self.layout.groups.left_out_wrongly(connection)


def stage_batches(path: Path, batches: Iterable[Batch], *, layout: Layout, day: dt.date) -> Staged:
    """Write records that were read in another way than from a file into a new staging file.

    `day` is the day of publication.
    """
    started = time.monotonic()
    create(path, layout)
    positions: set[int] = set()
    writer = StageWriter(
        path, layout=layout, day=day.isoformat(), selection=Selection(), repeats={}
    )
    with writer:
        for batch in batches:
            if not batch.group:
                positions.update(batch.positions.tolist())
            writer.write(batch)
        writer.write_rest()
    remarks = _complete(path, layout)
    seconds = time.monotonic() - started
    return Staged(path, layout, frozenset(writer.columns), len(positions), 0, {}, remarks, seconds)


def _complete(path: Path, layout: Layout) -> list[str]:
    """Delete rejected records, bring groups into the others, and index what the merge looks up.

    Returns the remarks of the layout.
    """
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(_COMPLETING + _delete_rejected(layout))
        layout.groups.bring_in(connection)
        connection.execute(layout.index)
        connection.commit()
        return layout.remarks(connection)


def _delete_rejected(layout: Layout) -> str:
    """Return the SQL that deletes the records that are rejected for a group, and keeps their fields.

    These are kept as a JSON object of path to value; `json_patch` leaves out NULL.
    """
    record = "rejected.record"
    for begin in range(0, len(layout.fields), _PAIRS):
        pairs = ", ".join(
            f"'{field.path}', CASE WHEN {layout.holds(field)} THEN r.{field.column} END"
            for field in layout.fields[begin : begin + _PAIRS]
        )
        record = f"json_patch({record}, json_object({pairs}))"
    isin, mic = (
        f"coalesce(r.{column}, '')" if layout.paths(column) else "''" for column in ("isin", "mic")
    )
    return f"""
        INSERT INTO rejected
            SELECT g.position, '', '', g.path, g.value, 'occurs more than once in the record', '{{}}'
            FROM ({layout.groups.repeated}) g JOIN record r ON r.position = g.position;
        UPDATE rejected SET isin = {isin}, mic = {mic}, record = {record}
        FROM record r WHERE r.position = rejected.position;
        DELETE FROM record WHERE position IN (SELECT position FROM rejected);
    """
