"""What every run needs, whatever it is of."""

import contextlib
from collections.abc import Iterator

from esma_files.models import EsmaFile, Run
from marketdata.common.errors import MarketDataError


def release_abandoned() -> None:
    """Take files and runs from workers that have died."""
    EsmaFile.objects.release_abandoned()
    Run.objects.close_abandoned()


@contextlib.contextmanager
def ended_with_error(run: Run) -> Iterator[None]:
    """An error ends the run, which says so, and goes on."""
    try:
        yield
    except MarketDataError as error:
        run.end(state=Run.State.FAILED, problem=str(error))
        raise
    except Exception as error:
        run.end(state=Run.State.FAILED, problem=f"{type(error).__name__}: {error}")
        raise
