"""The time for which a small write (a sign-in, a note of progress) waits while files are loaded."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_PAUSE = 0.05
_SMALL_WRITE = "UPDATE django_migrations SET applied = applied WHERE id = 1"


class Waits:
    """Seconds that each small write took."""

    def __init__(self) -> None:
        self.seconds: list[float] = []


@contextlib.contextmanager
def small_writes(database: Path) -> Iterator[Waits]:
    """Writes a little, over and over, from another process than the load's, until the context ends."""
    waits, stop = Waits(), threading.Event()

    def write() -> None:
        with contextlib.closing(
            sqlite3.connect(database, timeout=120, isolation_level=None)
        ) as connection:
            while not stop.wait(_PAUSE):
                started = time.monotonic()
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(_SMALL_WRITE)
                connection.execute("COMMIT")
                waits.seconds.append(time.monotonic() - started)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield waits
    finally:
        stop.set()
        writer.join()
