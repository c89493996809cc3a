"""One stored file into the tables: staged outside the database, merged in one transaction."""

import sqlite3
import time
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
from instruments.loading.staging import Progress, Staged, stage, stage_nothing
from instruments.models import Reconciliation, Register, Scope
from marketdata.common.errors import RetryableError

REJECTED = RejectedRecord._meta.db_table


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


def merge_staged(file: EsmaFile, staged: Staged, run: Run) -> Run:
    """Merge, and note it: the records, the run and the file's state change together or not at all.

    Leaves the file LOADED and the run DONE.
    """
    started = time.monotonic()
    with attached(connection, file, staged) as cursor, transaction.atomic():
        covered = scope.covered_before(file, staged.scope)
        settled = scope.settle(cursor, file)
        run.outside, run.rejected = settled.outside, settled.rejected
        counts = _merged(cursor, file, staged)
        _keep_rejected(cursor, file)
        run.read, run.unmapped = staged.read, staged.unmapped
        run.new, run.changed, run.ended = counts.new, counts.changed, counts.ended
        run.dropped = counts.dropped
        run.late, run.unchanged = counts.late, counts.unchanged + staged.known
        run.seconds = staged.seconds + time.monotonic() - started
        run.done = staged.read
        run.report = _remarks(file, staged, run, covered=covered, missed=settled.missed)
        run.end()
        file.loaded_at = timezone.now()
        file.scope_number = None if settled.missed else staged.scope.number
        file.enter(EsmaFile.State.LOADED)
    return run


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


def _merged(cursor: CursorWrapper, file: EsmaFile, staged: Staged) -> merge.Counts:
    if not staged.read:  # not read: that says nothing of what is not in it either
        return merge.Counts(**dict.fromkeys(merge.Counts.__dataclass_fields__, 0))
    of_instruments = Kind(file.kind) in scope.INSTRUMENT_FILES
    merging = merge.merge if of_instruments else transparency.merge
    register = Register.of_source(file.source)
    return merging(cursor, file, register=register, columns=staged.columns)


def _keep_rejected(cursor: CursorWrapper, file: EsmaFile) -> None:
    RejectedRecord.objects.filter(file=file).delete()
    cursor.execute(
        f"INSERT INTO {REJECTED} (file_id, position, isin, mic, field, value, reason, record) "
        f"SELECT {file.pk}, position, isin, mic, field, value, reason, record FROM stage.rejected "
        "ORDER BY position, field"
    )
