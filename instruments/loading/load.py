"""One stored file into the tables: staged outside the database, merged in short transactions."""

import dataclasses
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import adbc_driver_manager.dbapi as adbc
from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from esma_files.models import EsmaFile, RejectedRecord, Run
from esma_files.names import Kind
from esma_files.parsing.reader import Limits
from instruments.loading import merge, scope, transparency
from instruments.loading.attach import attached
from instruments.loading.known import Tables
from instruments.loading.slices import WHOLE, Slice, slices_of
from instruments.loading.staging import Progress, Staged, stage, stage_nothing
from instruments.models import Reconciliation, Register, Scope
from marketdata.common.errors import RetryableError

REJECTED = RejectedRecord._meta.db_table
_IN_SLICES = (Kind.DLTINS, Kind.FULCAN)
_COUNTED = ("read", "unmapped", *(field.name for field in dataclasses.fields(merge.Counts)))


class StagingFailed(RetryableError):
    """The disk is full, or a staging file cannot be written for another reason; nothing is lost."""


def stage_file(file: EsmaFile, *, wanted: Scope, progress: Progress) -> Staged:
    """Read what is wanted of the stored zip of `file` into its staging file.

    Needs no connection of Django's.

    Raises the errors of esma_files.errors, and StagingFailed.
    """
    folder = Path(settings.STAGING_DIR)
    limits = Limits(settings.ARCHIVE_MAX_BYTES, settings.ARCHIVE_MAX_RATIO)
    path = folder / f"{file.pk}.sqlite3"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if file.kind == Kind.FULINS and not wanted.reads_category(file.letter):
            return stage_nothing(name=file.name, path=path, scope=wanted)
        with file.open() as source:
            return stage(
                source,
                name=file.name,
                path=path,
                limits=limits,
                tables=Tables(_database(), file.source, file.sequence, wanted),
                progress=progress,
            )
    except (adbc.Error, sqlite3.Error, OSError) as error:
        raise StagingFailed(f"{file.name}: cannot be staged in {folder} ({error})") from error


def _database() -> str:
    """The file to look in for what is known already; SQL Server finds that out when it merges."""
    return str(connection.settings_dict["NAME"]) if connection.vendor == "sqlite" else ""


def merge_staged(
    file: EsmaFile, staged: Staged, run: Run, *, committed: Callable[[float], None]
) -> None:
    """Merge in slices, and note it: records and what the run says of them change together or not at all.

    With the last slice go the rejected records and the file's state. `committed` is called when others
    may write, between slices, and told the share that is merged. Leaves the file LOADED and the run
    DONE; where it fails, the slices before stay, and the next load does the rest.
    """
    started = time.monotonic()
    run.read, run.unmapped, run.unchanged = staged.read, staged.unmapped, staged.known
    with attached(connection, file, staged) as cursor:
        *others, last = _slices(cursor, file, staged)
        for number, slice_ in enumerate(others, start=1):
            with transaction.atomic():
                _add(run, _merged(cursor, file, staged, slice_))
                run.save(update_fields=_COUNTED)
            committed(number / (len(others) + 1))
        with transaction.atomic():
            covered = scope.covered_before(file, staged.scope)
            settled = scope.settle(cursor, file)
            run.outside, run.rejected = settled.outside, settled.rejected
            _add(run, _merged(cursor, file, staged, last))
            _keep_rejected(cursor, file)
            run.seconds = staged.seconds + time.monotonic() - started
            run.done = staged.read
            run.report = _remarks(file, staged, run, covered=covered, missed=settled.missed)
            run.end()
            file.loaded_at = timezone.now()
            file.scope_number = None if settled.missed else staged.scope.number
            file.enter(EsmaFile.State.LOADED)


def _slices(cursor: CursorWrapper, file: EsmaFile, staged: Staged) -> list[Slice]:
    """A full set is compared as a whole, and a scope is settled for all of a file at once."""
    if file.kind not in _IN_SLICES or not staged.scope.is_everything:
        return [WHOLE]
    return slices_of(cursor, records=settings.MERGE_RECORDS)


def _add(run: Run, counts: merge.Counts) -> None:
    for name, count in dataclasses.asdict(counts).items():
        setattr(run, name, getattr(run, name) + count)


def wanted_of(file: EsmaFile) -> Scope:
    """The scope that a file is to be loaded with."""
    if Kind(file.kind) not in scope.INSTRUMENT_FILES:
        return Scope()
    return Scope.objects.current(Register.of_source(file.source))


def _remarks(file: EsmaFile, staged: Staged, run: Run, *, covered: bool, missed: bool) -> list[str]:
    """What the run has to say of drops and the scope; later files that must be read anew are marked."""
    said = []
    if run.dropped:
        of = Reconciliation.objects.get(files__file=file)
        if run.dropped > of.listed:
            said.append(
                f"The set that it completes holds {of.listed:,} listings and drops {run.dropped:,}:"
                " is it whole?"
            )
    if Kind(file.kind) in scope.INSTRUMENT_FILES and not staged.read:
        said.append(f"Category {file.letter} is out of scope: the file was not read.")
    if missed:
        said.append("It was read beside an earlier file: `manage.py scope backfill` reads it anew.")
    changed = run.new + run.changed + run.ended + run.late
    if (not covered or changed) and (marked := scope.mark_later(file)):
        said.append(f"It came late: `manage.py scope backfill` reads {marked} later files anew.")
    return said


def _merged(cursor: CursorWrapper, file: EsmaFile, staged: Staged, slice_: Slice) -> merge.Counts:
    if not staged.read:  # not read: that says nothing of what is not in it either
        return merge.Counts()
    register = Register.of_source(file.source)
    if Kind(file.kind) in scope.INSTRUMENT_FILES:
        return merge.merge(cursor, file, slice_, register=register, columns=staged.columns)
    return transparency.merge(cursor, file, register=register, columns=staged.columns)


def _keep_rejected(cursor: CursorWrapper, file: EsmaFile) -> None:
    RejectedRecord.objects.filter(file=file).delete()
    cursor.execute(
        f"INSERT INTO {REJECTED} (file_id, position, isin, mic, field, value, reason, record) "
        f"SELECT {file.pk}, position, isin, mic, field, value, reason, record FROM stage.rejected "
        "ORDER BY position, field"
    )
