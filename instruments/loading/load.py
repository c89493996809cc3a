"""One stored file into the tables: staged outside the database, merged in one transaction."""

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
from instruments.loading import merge, transparency
from instruments.loading.attach import attached
from instruments.loading.known import Tables
from instruments.loading.staging import Progress, Staged, stage
from instruments.models import Register
from marketdata.common.errors import RetryableError

_INSTRUMENT_FILES = {Kind.FULINS, Kind.DLTINS, Kind.FULCAN}
REJECTED = RejectedRecord._meta.db_table


class StagingFailed(RetryableError):
    """The disk is full, or a staging file cannot be written for another reason; nothing is lost."""


def stage_file(file: EsmaFile, *, progress: Progress) -> Staged:
    """Read the stored zip of `file` into its staging file. Needs no connection of Django's.

    Raises the errors of esma_files.errors, and StagingFailed.
    """
    folder = Path(settings.STAGING_DIR)
    limits = Limits(settings.ARCHIVE_MAX_BYTES, settings.ARCHIVE_MAX_RATIO)
    path = folder / f"{file.pk}.sqlite3"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open() as source:
            return stage(
                source,
                name=file.name,
                path=path,
                limits=limits,
                tables=Tables(_database(), file.source, file.sequence),
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
        counts = _merge_of(file)(
            cursor,
            file,
            register=Register.of_source(file.source),
            columns=staged.columns,
        )
        _keep_rejected(cursor, file)
        run.read, run.rejected, run.unmapped = staged.read, staged.rejected, staged.unmapped
        run.new, run.changed, run.ended = counts.new, counts.changed, counts.ended
        run.dropped = counts.dropped
        run.late, run.unchanged = counts.late, counts.unchanged + staged.known
        run.seconds = staged.seconds + time.monotonic() - started
        run.done = staged.read
        run.end()
        file.loaded_at = timezone.now()
        file.enter(EsmaFile.State.LOADED)
    return run


def _merge_of(file: EsmaFile) -> Callable[..., merge.Counts]:
    return merge.merge if Kind(file.kind) in _INSTRUMENT_FILES else transparency.merge


def _keep_rejected(cursor: CursorWrapper, file: EsmaFile) -> None:
    RejectedRecord.objects.filter(file=file).delete()
    cursor.execute(
        f"INSERT INTO {REJECTED} (file_id, position, isin, mic, field, value, reason, record) "
        f"SELECT {file.pk}, position, isin, mic, field, value, reason, record FROM stage.rejected "
        "ORDER BY position, field"
    )
