"""SQLite's write-ahead log while files are loaded, one after another.

Each merge of half a million new listings writes 700 MB into it, and all of that has to be copied into the
database at some time. Another thread does so while the next one goes on. A merge waits for the
copying of what the last one wrote only where the log has become long, so that SQLite can restart it.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

# SQLite restarts the log when it has so many bytes, and the changes of so many merges that copying those of
# the last one is little in comparison. The size that its file keeps: reused blocks cost less than new ones.
_LONG, _MERGES, _KEPT = 1 << 28, 4, 1 << 32
# The values at other times: as in marketdata/settings/databases.py, and SQLite's default number of pages.
_KEPT_ELSE, _PAGES_ELSE = 1 << 26, 1_000

logger = logging.getLogger(__name__)


class WriteAheadLog:
    """The log of a SQLite database. Does nothing for other databases."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._copier: Executor | None = None
        self._copying: Future[int] | None = None
        self._length = self._merges = 0  # bytes copied at the last look

    @contextlib.contextmanager
    def kept_short(self) -> Iterator["WriteAheadLog"]:
        """Keep the log short while files are loaded. At the end, all of it has been copied."""
        if self._connection.vendor != "sqlite":
            yield self
            return
        self._set_pragmas("wal_autocheckpoint=0", f"journal_size_limit={_KEPT}")
        with ThreadPoolExecutor(1, "log") as copier:
            self._copier = copier
            try:
                yield self
            finally:
                self._wait()
                self._copy()
                self._wait()
                self._copier = None
                self._set_pragmas(
                    f"wal_autocheckpoint={_PAGES_ELSE}", f"journal_size_limit={_KEPT_ELSE}"
                )

    def merged(self) -> None:
        """Copy the changes of a merge into the database. Call it after each merge."""
        if self._copier is None:
            return
        self._merges += 1
        if self._copying and not self._copying.done() and self._length < _LONG:
            return
        self._wait()
        is_long = self._length > _LONG and self._merges >= _MERGES
        self._copy()
        if is_long:  # the next writer restarts it, if no reader needs it
            self._wait()
            self._length = self._merges = 0

    def _copy(self) -> None:
        if self._copier is not None:
            self._copying = self._copier.submit(_copy, str(self._connection.settings_dict["NAME"]))

    def _wait(self) -> None:
        if self._copying is None:
            return
        copying, self._copying = self._copying, None
        try:
            self._length = copying.result()
        except sqlite3.Error as error:  # nothing is lost: the log is as good as the database
            logger.warning("The write-ahead log could not be copied into the database: %s", error)

    def _set_pragmas(self, *pragmas: str) -> None:
        with self._connection.cursor() as cursor:
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")


def _copy(path: str) -> int:
    """Copy the log into the database. Return the bytes of it that are copied."""
    with contextlib.closing(sqlite3.connect(path)) as own:
        (page,) = own.execute("PRAGMA page_size").fetchone()
        _, pages, _ = own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(page * pages)
