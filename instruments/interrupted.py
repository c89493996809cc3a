"""Take files whose merge was interrupted out of the tables, as if they had never been loaded.

A delta is merged in slices, each in a transaction of its own (decision 51). If the process is killed between
two of them, or the database refuses one, a part of the file is in the tables. It is taken out again by the
process itself if that still runs. Otherwise by the next one that begins: a web server, a worker, or a command
that answers a question (decision 85); a load finishes the file. A file that had been loaded before, and was
loaded again when it was interrupted, has nothing to be taken out: the next load finishes it.

The tables are a function of the files loaded. So the records that the file published first are withdrawn, and
what later files repeat of them is read again, as for a republished file.
"""

import contextlib
import logging
import sqlite3

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from esma_files import runs
from esma_files.models import EsmaFile, Run
from instruments.file_staging import FileStaging
from instruments.listings.load import merge, republished
from instruments.listings.load.context import WHOLE
from instruments.models import DataSubject, DataVersion, Register, Scope
from instruments.staging.attach import attached
from marketdata.common.errors import MarketDataError

logger = logging.getLogger(__name__)


def undo_all() -> int:
    """Undo the loads that ended processes have left unfinished; return how many.

    A file that a load is requested for is left to that load. One that cannot be undone is logged, and stays
    marked for the next attempt.
    """
    runs.release_abandoned()
    to_be_loaded = Run.objects.open().filter(kind=Run.Kind.LOAD).files()
    unfinished = EsmaFile.objects.interrupted().filter(loaded_at=None).exclude(pk__in=to_be_loaded)
    return sum(_undo_one(file) for file in unfinished)


def undo_failed(file: EsmaFile) -> None:
    """Undo the load of a file that has just failed in this process, if a part of it was merged."""
    file.refresh_from_db(fields=["is_partly_merged", "loaded_at"])
    if file.is_partly_merged and file.loaded_at is None:
        _undo_one(file)
        file.refresh_from_db()


def undo_at_start() -> None:
    """Undo the loads that ended processes have left unfinished, when a process starts that answers questions.

    A database that is not migrated yet, or cannot be reached, is left to the health checks.
    """
    try:
        if EsmaFile.objects.filter(is_partly_merged=True).exists():
            undo_all()
    except DatabaseError as error:
        logger.warning("Interrupted loads cannot be looked for: %s", error)


def _undo_one(file: EsmaFile) -> bool:
    """Undo one load; return whether this process did it.

    The run begins before the file is claimed and ends after the claim: a load that meets the claim sees by
    the run that it has to wait.
    """
    state = EsmaFile.State(file.state)
    before = EsmaFile.objects.values("state", "problem", "attempts", "not_before").get(pk=file.pk)
    run = Run.begin(Run.Kind.UNDO, file=file)
    claimed = EsmaFile.objects.claim(file.pk, from_state=state, to_state=EsmaFile.State.LOADING)
    if claimed is None:
        run.delete()
        return False  # another process was first
    changes = {**before, "claimed_by": "", "state_since": timezone.now()}
    try:
        withdrawn = _take_out(claimed, run, changes)
    except (MarketDataError, DatabaseError) as error:
        EsmaFile.objects.filter(pk=file.pk).update(**changes)
        run.refresh_from_db()
        run.end(state=Run.State.FAILED, problem=str(error))
        logger.error("%s: its interrupted load cannot be undone yet: %s", file.name, error)
        return False
    except BaseException as error:
        run.refresh_from_db()
        run.end(state=Run.State.FAILED, problem=f"{type(error).__name__}: {error}")
        raise
    logger.warning("%s: its interrupted load was undone, %s records", file.name, withdrawn)
    return True


def _take_out(file: EsmaFile, run: Run, changes: dict[str, object]) -> int:
    """Take what was merged of a file out of the tables; return the number of records.

    `changes` to the row of the file, and the end of the run, are saved in the same transaction.
    """
    staging = FileStaging.of(file, Scope())
    try:
        isins = _read_isins(staging)
        staged, replacement = republished.prepare_undo(file, staging.stage_nothing(), isins)
        with attached(connection, file, staged) as cursor, transaction.atomic():
            merge.merge(
                cursor,
                file,
                WHOLE,
                register=Register.of_dataset(file.dataset),
                columns=staged.columns,
                replacement=replacement,
            )
            DataVersion.objects.renew(DataSubject.LISTINGS)
            EsmaFile.objects.filter(pk=file.pk).update(**changes, is_partly_merged=False)
            run.ended = replacement.withdrawn
            run.report = [
                "Its load was interrupted. Records that it had merged, and that were taken out again:"
                f" {replacement.withdrawn:,}.",
                *replacement.remarks_on_unread,
            ]
            run.end()
    finally:
        staging.remove()
    return replacement.withdrawn


def _read_isins(staging: FileStaging) -> list[str] | None:
    """Return the ISINs of the records of a file; None if it is not stored or cannot be read any more."""
    try:
        staged = staging.stage_with_known()
    except MarketDataError as error:
        logger.warning("%s cannot be read again: %s", staging.file.name, error)
        return None
    with contextlib.closing(sqlite3.connect(staged.path)) as stage:
        return [isin for (isin,) in stage.execute("SELECT DISTINCT isin FROM record")]
