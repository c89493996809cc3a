"""Staging files: the checked records of one published file, in a SQLite file of their own.

They are written by ADBC, straight from Arrow, outside the database: nobody waits for them, and they may be
thrown away at any moment. The merge attaches them. A file is staged whole before the merge begins, so that
a file that cannot be read to its end, or is damaged anywhere, leaves nothing in the tables.
"""

import contextlib
import dataclasses
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from esma_files.names import FileName
from esma_files.parsing.reader import EsmaReader, Limits
from instruments.layouts import layout_of
from instruments.models import Scope
from instruments.staging.known import Tables
from instruments.staging.layout import Layout
from instruments.staging.stage_writer import StageWriter, create

# Told the number of records read so far, and the share of the file, from 0 to 1.
Progress = Callable[[int, float], None]
_PAIRS = 60  # a function of SQLite's takes 127 arguments at most


@dataclasses.dataclass(frozen=True)
class Staged:
    """A staging file, and what was counted while it was written."""

    path: Path
    columns: frozenset[str]  # of `record`: those that have a value in some record
    read: int  # records of the published file
    scope: Scope
    known: int  # records that the tables hold already: they are not staged
    unmapped: dict[str, int]  # elements without a field, with their count
    seconds: float  # that reading and staging took

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def stage(
    source: IO[bytes],
    *,
    name: str,
    folder: Path,
    limits: Limits,
    tables: Tables,
    progress: Progress = lambda records, share: None,
) -> Staged:
    """Write the records of the zip `source`, published as `name`, into a new staging file in `folder`.

    Records that `tables` holds already are left out. Raises the errors of esma_files.errors, and leaves no
    staging file then.
    """
    staging = _Staging(source, name, folder, limits, layout_of(name), tables, progress)
    if tables.database and staging.layout.asks_what_is_known:
        staged = staging.write(known_in=tables)
        if not _left_out_wrongly(staged.path, staging.layout):
            return staged
    return staging.write(known_in=None)


@dataclasses.dataclass(frozen=True)
class _Staging:
    """The arguments of `stage`."""

    source: IO[bytes]
    name: str
    folder: Path
    limits: Limits
    layout: Layout
    tables: Tables
    progress: Progress

    def write(self, *, known_in: Tables | None) -> Staged:
        """Stage the whole file; without `known_in`, no record is left out as known."""
        started = time.monotonic()
        reader = EsmaReader(
            self.source,
            name=self.name,
            mapping=self.layout.mapping,
            limits=self.limits,
            dataset=self.tables.dataset,
        )
        scope = self.tables.scope if self.layout.scoped else Scope()
        path = self.folder / "staged.sqlite3"
        create(path, self.layout)
        try:
            with (
                self._writer(path, known_in, scope) as writer,
                contextlib.closing(iter(reader)) as batches,
            ):
                for batch in batches:
                    writer.write(batch)
                    self.progress(reader.records, reader.share_read)
                writer.write_rest()
            _finish(path, self.name, self.layout)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Staged(
            path=path,
            columns=frozenset(writer.columns),
            read=reader.records,
            scope=scope,
            known=writer.known,
            unmapped=reader.unmapped,
            seconds=time.monotonic() - started,
        )

    def _writer(self, path: Path, known_in: Tables | None, scope: Scope) -> StageWriter:
        day = FileName.parse(self.name).published_on.isoformat()
        return StageWriter(path, layout=self.layout, day=day, tables=known_in, scope=scope)


def stage_nothing(*, name: str, folder: Path, scope: Scope) -> Staged:
    """The staging file of a file that need not be read, because nothing in it is in scope."""
    layout, path = layout_of(name), folder / "staged.sqlite3"
    create(path, layout)
    _finish(path, name, layout)
    return Staged(path, frozenset(), read=0, scope=scope, known=0, unmapped={}, seconds=0.0)


def _left_out_wrongly(path: Path, layout: Layout) -> bool:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return layout.groups.left_out_wrongly(connection)


def _finish(path: Path, name: str, layout: Layout) -> None:
    """Bring groups into their records, take out what was rejected for one of these, and index what
    the merge looks up.
    """
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(_take_out(layout))
        layout.groups.bring_in(connection, name)
        connection.execute(layout.index)
        connection.commit()


def _take_out(layout: Layout) -> str:
    """What was refused for a group has been staged as a record too: it goes, and its fields are kept.

    As a JSON object, path to value; `json_patch` leaves out what is NULL.
    """
    record = "rejected.record"
    for begin in range(0, len(layout.fields), _PAIRS):
        pairs = ", ".join(
            f"'{field.path}', CASE WHEN {layout.holds(field)} THEN r.{field.column} END"
            for field in layout.fields[begin : begin + _PAIRS]
        )
        record = f"json_patch({record}, json_object({pairs}))"
    mic = "r.mic" if layout.paths("mic") else "''"
    return f"""
        UPDATE rejected SET isin = coalesce(r.isin, ''), mic = {mic}, record = {record}
        FROM record r WHERE r.position = rejected.position;
        DELETE FROM record WHERE position IN (SELECT position FROM rejected);
    """
