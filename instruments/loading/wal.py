"""SQLite's write-ahead log while files are loaded, one after another.

Each merge of half a million new listings writes 700 MB into it, and all of that has to be copied into the
database at some time. Another thread does so while the next file is merged: a merge waits only for
what the last one wrote, and only where the log has become long.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

# Bytes of the log from which on it is begun anew when all of it is copied, and that its file keeps
# meanwhile: what is written again needs no new memory for its pages.
_LONG, _KEPT = 3 << 29, 1 << 32
# What holds otherwise: as in marketdata/settings/databases.py, and SQLite's default number of pages.
_KEPT_ELSE, _PAGES_ELSE = 1 << 26, 1_000

logger = logging.getLogger(__name__)


class WriteAheadLog:
    """The log of a database of SQLite's. Other databases see to theirs: nothing is done there."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._copier: Executor | None = None
        self._copying: Future[int] | None = None

    @contextlib.contextmanager
    def kept_short(self) -> Iterator["WriteAheadLog"]:
        """While files are loaded; in the end all of it has been copied."""
        if self._connection.vendor != "sqlite":
            yield self
            return
        self._say("wal_autocheckpoint=0", f"journal_size_limit={_KEPT}")
        with ThreadPoolExecutor(1, "log") as copier:
            self._copier = copier
            try:
                yield self
            finally:
                self._copied_length()
                self._copier = None
                limit = f"journal_size_limit={_KEPT_ELSE}"
                self._say(f"wal_autocheckpoint={_PAGES_ELSE}", limit, "wal_checkpoint(PASSIVE)")

    def merged(self) -> None:
        """To be called after each merge: see to what it has written."""
        if self._copier is None:
            return
        if self._copied_length() > _LONG:
            self._say("wal_checkpoint(PASSIVE)")
        else:
            self._copying = self._copier.submit(_copy, str(self._connection.settings_dict["NAME"]))

    def _copied_length(self) -> int:
        """The length of the log when it was last copied, in bytes; waits for that."""
        if self._copying is None:
            return 0
        copying, self._copying = self._copying, None
        try:
            return copying.result()
        except sqlite3.Error as error:  # nothing is lost: the log is as good as the database
            logger.warning("The write-ahead log could not be copied into the database: %s", error)
            return 0

    def _say(self, *pragmas: str) -> None:
        with self._connection.cursor() as cursor:
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")


def _copy(path: str) -> int:
    with contextlib.closing(sqlite3.connect(path)) as own:
        (page,) = own.execute("PRAGMA page_size").fetchone()
        _, pages, _ = own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(page * pages)
