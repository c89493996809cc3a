"""Bars for long work, on a terminal only."""

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from marketdata.common import output


@contextlib.contextmanager
def bars() -> Iterator[Progress]:
    """Each task has a description, a share, and `said`: a word of how much that is."""
    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not output.is_terminal(),
        transient=True,
    )
    with shown:
        yield shown
