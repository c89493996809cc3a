"""Progress bars of long work, shown on terminals only."""

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from marketdata.common import output


@contextlib.contextmanager
def progress_bars() -> Iterator[Progress]:
    """Show progress bars of tasks with a description, a share, and a text `amount` about the share."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not output.is_terminal(),
        transient=True,
    )
    with progress:
        yield progress
