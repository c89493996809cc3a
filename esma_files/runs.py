"""Recovery of abandoned work, and the end of a run that fails."""

import contextlib
from collections.abc import Iterator

from esma_files.models import EsmaFile, Run
from marketdata.common.errors import MarketDataError


def release_abandoned() -> None:
    """Release the files and close the runs of workers that have ended; queue those runs again."""
    abandoned = Run.objects.without_worker()
    EsmaFile.objects.release_abandoned(ended={run.claimed_by for run in abandoned})
    for run in abandoned:
        run.abandon()


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
