"""Progress of long work, on a terminal only."""

import contextlib
from collections.abc import Callable, Iterator

from marketdata.common.progress import progress_bars


@contextlib.contextmanager
def bar(doing: str) -> Iterator[Callable[[float], None]]:
    """Show one line; call the result with the share that is done, from 0 to 1."""
    with progress_bars() as shown:
        line = shown.add_task(doing, total=1, amount="")
        yield lambda share: shown.update(line, completed=share)


@contextlib.contextmanager
def table_progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Show a line for the current table; call the result with it, the rows done and their total."""
    with progress_bars() as shown:
        line = shown.add_task("", total=None, amount="")

        def note(table: str, done: int, total: int) -> None:
            amount = f"{done:,} of {total:,} rows"
            shown.update(line, description=table, completed=done, total=total or 1, amount=amount)

        yield note
