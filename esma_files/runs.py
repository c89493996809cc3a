"""Recovery of abandoned work, and the end of a run that fails."""

import contextlib
import logging
from collections.abc import Iterator

from esma_files import processes
from esma_files.models import EsmaFile, Run
from marketdata.common.errors import MarketDataError

logger = logging.getLogger(__name__)


def release_abandoned() -> None:
    """Release the files and close the runs of workers that have ended; queue those runs again."""
    abandoned = Run.objects.without_worker()
    EsmaFile.objects.release_abandoned(ended={run.claimed_by for run in abandoned})
    for run in abandoned:
        run.abandon()


def release_left_behind() -> None:
    """Release what this process still holds. Call in a process that works on nothing.

    An error ends a run and releases its file, unless that cannot be saved either: when the database is away,
    for instance. Other processes take such a run for one that is worked on as long as this process runs.
    """
    this = processes.current_process()
    left = Run.objects.filter(state=Run.State.RUNNING, claimed_by=this).select_related("file")
    held = EsmaFile.objects.filter(state__in=EsmaFile.BEFORE, claimed_by=this)
    for file in held:
        logger.error("%s was left %s by an error, and is released.", file.name, file.state)
        file.release()
    for run in left:
        logger.error("Run %s was left by an error, and is closed.", run.pk)
        run.abandon(reason="An error ended this run and could not be saved")


@contextlib.contextmanager
def failing_on_error(run: Run) -> Iterator[None]:
    """End the run as failed on an error, with its text, and re-raise the error."""
    try:
        yield
    except MarketDataError as error:
        run.end(state=Run.State.FAILED, problem=str(error))
        raise
    except Exception as error:
        run.end(state=Run.State.FAILED, problem=f"{type(error).__name__}: {error}")
        raise
