"""A database with grown records, for benchmarks of requests."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from tests.benchmarks import measure
from tests.benchmarks.generator import grow
from tests.benchmarks.loading import DAY, SOURCES


@contextmanager
def filled_folder(kept: Path | None, records: int, console: Console) -> Iterator[Path]:
    """Yield `kept`, or without it a temporary folder into whose database so many records are loaded."""
    if kept:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        sources = sorted(SOURCES.glob("firds*/*INS_*.zip"))
        paths = grow(sources, records=records, folder=folder / "files", day=DAY)
        measure.run("migrate", "tests.benchmarks.step", "migrate", folder=folder)
        console.print(f"Loading {records:,} records ...")
        measure.run("load", "tests.benchmarks.step", "load", *map(str, paths), folder=folder)
        yield folder
