"""Recovery of abandoned work, and the end of a run that fails."""

import contextlib
from collections.abc import Iterator

from esma_files.models import EsmaFile, Run
from marketdata.common.errors import MarketDataError


def release_abandoned() -> None:
    """Release the files and close the runs of workers that have ended."""
    EsmaFile.objects.release_abandoned()
    Run.objects.close_abandoned()


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
