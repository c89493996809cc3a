"""Staging files: one ESMA file's records, checked, in a SQLite file of their own, or in one a section.

They are written by ADBC, straight from Arrow, outside the database: nobody waits for them, and they may be
thrown away at any moment. The merge attaches them.
"""

import contextlib
import dataclasses
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import IO

from esma_files import archive
from esma_files.names import FileName
from esma_files.parsing.reader import Batch, EsmaReader, Limits
from instruments.layouts import layout_of
from instruments.models import Scope
from instruments.staging.known import Tables
from instruments.staging.layout import Layout
from instruments.staging.stage_writer import StageWriter, create

# Told the number of records read so far, and the share of the file, from 0 to 1.
Progress = Callable[[int, float], None]
# Of a file in the order of ISINs, hardly any record has a lower one than the record before it; of one in
# no order, half of them.
_DISORDER = 0.25
_PAIRS = 60  # a function of SQLite's takes 127 arguments at most


@dataclasses.dataclass(frozen=True)
class Staged:
    """A staging file, and what was found while it was written."""

    path: Path
    columns: frozenset[str]  # of `record`: those that have a value somewhere
    read: int
    scope: Scope
    known: int  # records that the tables hold already: they are not in the file
    unmapped: dict[str, int]  # of the whole ESMA file, with its last section
    seconds: float  # since the reading of the ESMA file began
    share: float = 1.0  # of the ESMA file that has been read
    is_last: bool = True

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
) -> Iterator[Staged]:
    """Write the records of the zip `source`, published as `name`, into new staging files in `folder`.

    Only those that `tables` does not hold already. One file for each section, given as soon as it is
    written; of a damaged zip that has several none is given. Raises the errors of esma_files.errors: the
    file that was being written is not left then.
    """
    layout = layout_of(name)
    if limits.section_records:
        archive.check(source, file_name=name, max_bytes=limits.max_bytes)
    attempts = (tables, None) if tables.database and layout.asks_what_is_known else (None,)
    given = 0
    for known in attempts:
        reader = EsmaReader(
            source,
            name=name,
            mapping=layout.mapping,
            limits=limits,
            dataset=tables.dataset,
        )
        scope_ = tables.scope if layout.scoped else Scope()
        staging = _Staging(reader, name, folder, layout, known, scope_, progress)
        with contextlib.closing(staging.sections(after=given)) as sections:
            for staged in sections:
                if _left_out_wrongly(staged.path, layout):
                    break  # this one and the rest are staged anew, and none is left out
                given += 1
                yield staged
            else:
                return


@dataclasses.dataclass(frozen=True)
class _Staging:
    """Reading a file, and writing what is read."""

    reader: EsmaReader
    name: str
    folder: Path
    layout: Layout
    known: Tables | None
    scope: Scope
    progress: Progress

    def sections(self, *, after: int) -> Generator[Staged, None, None]:
        """All but the first so many; their files may still be merged."""
        started, read = time.monotonic(), 0
        with contextlib.closing(self.reader.sections()) as sections:
            for number, batches in enumerate(sections, start=1):
                if number <= after:
                    deque(batches, maxlen=0)
                    read = self.reader.records
                    continue
                path = self.folder / f"{number}.sqlite3"
                writer = self._write(path, batches)
                if number == 1 and not self.reader.is_at_end and _in_disorder(path):
                    self.reader.may_cut = False
                yield Staged(
                    path=path,
                    columns=frozenset(writer.columns),
                    read=self.reader.records - read,
                    scope=self.scope,
                    known=writer.known,
                    unmapped=self.reader.unmapped,
                    seconds=time.monotonic() - started,
                    share=self.reader.share_read,
                    is_last=self.reader.is_at_end,
                )
                read = self.reader.records

    def _write(self, path: Path, batches: Iterator[Batch]) -> StageWriter:
        day = FileName.parse(self.name).published_on.isoformat()
        create(path, self.layout)
        try:
            with StageWriter(
                path, layout=self.layout, day=day, tables=self.known, scope=self.scope
            ) as writer:
                for batch in batches:
                    writer.write(batch)
                    self.progress(self.reader.records, self.reader.share_read)
                writer.write_rest()
            _finish(path, self.name, self.layout)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return writer


def stage_nothing(*, name: str, folder: Path, scope: Scope) -> Staged:
    """The staging file of a file that need not be read, because nothing in it is in scope."""
    layout, path = layout_of(name), folder / "1.sqlite3"
    create(path, layout)
    _finish(path, name, layout)
    return Staged(path, frozenset(), read=0, scope=scope, known=0, unmapped={}, seconds=0.0)


def _in_disorder(path: Path) -> bool:
    """Whether records are in no order of ISINs: each section of these would be merged all over the tables."""
    share = """SELECT avg(isin < before) FROM (
        SELECT isin, lag(isin) OVER (ORDER BY position) AS before FROM record)"""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute(share).fetchone()
    return found is not None and found > _DISORDER


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
