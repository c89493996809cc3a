"""One stored file into the tables: staged whole outside the database, then merged in short transactions."""

import dataclasses
import shutil
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
from esma_files.parsing.reader import Limits
from instruments.layouts import result_tables
from instruments.listings.load import merge, scope
from instruments.listings.load.context import WHOLE, Slice, slices_of
from instruments.models import Reconciliation, Register, Scope
from instruments.published_results import merge as results_merge
from instruments.staging.attach import attached
from instruments.staging.known import Tables
from instruments.staging.staging import Progress, Staged, stage, stage_nothing
from marketdata.common.errors import RetryableError

REJECTED = RejectedRecord._meta.db_table
_COUNTED = (
    "read",
    "outside",
    "rejected",
    *(field.name for field in dataclasses.fields(merge.Counts)),
)


class StagingFailed(RetryableError):
    """The disk is full, or a staging file cannot be written for another reason; nothing is lost."""


def staging_folder(file: EsmaFile) -> Path:
    """Where the staging files of `file` are while it is loaded."""
    return Path(settings.STAGING_DIR) / str(file.pk)


def stage_file(file: EsmaFile, *, wanted: Scope, progress: Progress) -> Staged:
    """Read what is wanted of the stored zip of `file` into a staging file.

    Needs no connection of Django's.

    Raises the errors of esma_files.errors, and StagingFailed.
    """
    folder = staging_folder(file)
    limits = Limits(settings.ARCHIVE_MAX_BYTES, settings.ARCHIVE_MAX_RATIO)
    try:
        remove_staged(file)  # by a process that was killed
        folder.mkdir(parents=True, exist_ok=True)
        if _is_outside(file, wanted):
            return stage_nothing(name=file.name, folder=folder, scope=wanted)
        with file.open() as source:
            return stage(
                source,
                name=file.name,
                folder=folder,
                limits=limits,
                tables=Tables(_database(), file.dataset, file.sequence, wanted),
                progress=progress,
            )
    except (adbc.Error, sqlite3.Error, OSError) as error:
        raise StagingFailed(f"{file.name}: cannot be staged in {folder} ({error})") from error


def remove_staged(file: EsmaFile) -> None:
    """Whatever is staged of `file`."""
    shutil.rmtree(staging_folder(file), ignore_errors=True)


def _is_outside(file: EsmaFile, scope: Scope) -> bool:
    """Whether nothing in a full file of one category can be in scope."""
    has_category = file.file_kind.has_scope and bool(file.category)
    return has_category and not scope.reads_category(file.category)


def _in_pieces(file: EsmaFile, scope: Scope) -> bool:
    """A full set is compared as a whole, and a scope is settled for all of a file at once."""
    return file.file_kind.merged_in_slices and scope.is_everything


def _database() -> str:
    """The file to look in for what is known already; SQL Server finds that out when it merges."""
    return str(connection.settings_dict["NAME"]) if connection.vendor == "sqlite" else ""


def merge_staged(
    file: EsmaFile, staged: Staged, run: Run, *, committed: Callable[[float], None]
) -> None:
    """Merge the staging file of `file` in slices, each with its part of the counts of `run`.

    The rejected records and the file's state are written with the last slice. `committed` is called between
    slices, when others may write, with the share of the file that has been merged. Leaves the file LOADED
    and the run DONE. If it fails after the first slice, the file is left marked as partly merged.
    """
    started = time.monotonic()
    run.read, run.unchanged, run.outside, run.rejected = staged.read, staged.known, 0, 0
    with attached(connection, file, staged) as cursor:
        *others, last = _slices(cursor, file, staged)
        for number, slice_ in enumerate(others, start=1):
            with transaction.atomic():
                if not file.is_partly_merged:
                    file.is_partly_merged = True
                    file.save(update_fields=["is_partly_merged"])
                _add(run, _merged(cursor, file, staged, slice_))
                run.save(update_fields=_COUNTED)
            committed(number / (len(others) + 1))
        with transaction.atomic():
            settled = scope.settle(cursor, file)
            run.outside, run.rejected = settled.outside, settled.rejected
            _add(run, _merged(cursor, file, staged, last))
            _keep_rejected(cursor, file)
            run.seconds = staged.seconds + time.monotonic() - started
            _end(file, staged, run, missed=settled.missed)


def _end(file: EsmaFile, staged: Staged, run: Run, *, missed: bool) -> None:
    """All of the file is merged."""
    covered = scope.is_covered(file, staged.scope)
    run.unmapped, run.done = staged.unmapped, run.read
    run.report = _remarks(file, run, covered=covered, missed=missed)
    run.end()
    file.loaded_at, file.is_partly_merged = timezone.now(), False
    file.scope_number = None if missed else staged.scope.number
    file.enter(EsmaFile.State.LOADED)


def _slices(cursor: CursorWrapper, file: EsmaFile, staged: Staged) -> list[Slice]:
    if not _in_pieces(file, staged.scope):
        return [WHOLE]
    return slices_of(cursor, records=settings.MERGE_RECORDS)


def _add(run: Run, counts: merge.Counts) -> None:
    for name, count in dataclasses.asdict(counts).items():
        setattr(run, name, getattr(run, name) + count)


def wanted_of(file: EsmaFile) -> Scope:
    """The scope that a file is to be loaded with."""
    if not file.file_kind.has_scope:
        return Scope()
    return Scope.objects.current(Register.of_dataset(file.dataset))


def _remarks(file: EsmaFile, run: Run, *, covered: bool, missed: bool) -> list[str]:
    """What the run has to say of drops and the scope; later files that must be read anew are marked."""
    said = []
    if run.dropped:
        of = Reconciliation.objects.get(files__file=file)
        if run.dropped > of.listed:
            said.append(
                f"The set that it completes holds {of.listed:,} listings and drops {run.dropped:,}:"
                " is it whole?"
            )
    if file.category and file.file_kind.has_scope and not run.read:
        said.append(f"Category {file.category} is out of scope: the file was not read.")
    if missed:
        said.append("It was read beside an earlier file: `manage.py scope backfill` reads it anew.")
    changed = run.new + run.changed + run.ended + run.late
    if (not covered or changed) and (marked := scope.mark_later_files(file)):
        said.append(f"It came late: `manage.py scope backfill` reads {marked} later files anew.")
    return said


def _merged(cursor: CursorWrapper, file: EsmaFile, staged: Staged, slice_: Slice) -> merge.Counts:
    if not staged.read:  # not read: that says nothing of what is not in it either
        return merge.Counts()
    register = Register.of_dataset(file.dataset)
    if not file.file_kind.result_tables:
        return merge.merge(cursor, file, slice_, register=register, columns=staged.columns)
    tables = result_tables(file.file_kind)
    return results_merge.merge(cursor, file, tables, register=register, columns=staged.columns)


def _keep_rejected(cursor: CursorWrapper, file: EsmaFile) -> None:
    RejectedRecord.objects.filter(file=file).delete()
    cursor.execute(
        f"INSERT INTO {REJECTED} (file_id, position, isin, mic, field, value, reason, record) "
        f"SELECT {file.pk}, position, isin, mic, field, value, reason, record FROM stage.rejected "
        "ORDER BY position, field"
    )
