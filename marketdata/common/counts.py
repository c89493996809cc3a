"""Counts that all processes of one machine share, where there is no Redis.

Django's own caches cannot count over processes: in memory each has its own, and in files or the database
`incr` reads and then writes, so that counts are lost. A file of its own keeps the main database free: a
request that reads never waits for a load that writes.
"""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

_TABLE = """
CREATE TABLE IF NOT EXISTS counts (key TEXT PRIMARY KEY, count INTEGER, ends REAL) WITHOUT ROWID
"""
# The first to count in a window, or after the last one ended, makes the row.
_ADD = """
INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE
SET count = excluded.count, ends = excluded.ends WHERE ends <= ?
"""
_INCREASE = "UPDATE counts SET count = count + ? WHERE key = ? AND ends > ? RETURNING count"
_SWEEP_SECONDS = 60


class FileCounts(BaseCache):
    """The part of Django's cache that counting takes: whole numbers, each change in one statement."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._path = Path(location)
        self._open: tuple[int, sqlite3.Connection] | None = None
        self._swept = 0.0

    def add(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        """Begin to count, unless there is a count that has not ended; whether it has begun."""
        now = time.time()
        if now > self._swept + _SWEEP_SECONDS:
            self._connection().execute("DELETE FROM counts WHERE ends <= ?", (now,))
            self._swept = now
        seconds = (self.default_timeout or 0) if timeout is DEFAULT_TIMEOUT else timeout
        row = (self.make_key(key, version), int(value), now + seconds, now)
        return self._connection().execute(_ADD, row).rowcount == 1

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        row = (self.make_key(key, version), time.time())
        sql = "SELECT count FROM counts WHERE key = ? AND ends > ?"
        found = self._connection().execute(sql, row).fetchone()
        return found[0] if found else default

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """Count on; ValueError, as Django has it, where there is nothing to count on from."""
        row = (delta, self.make_key(key, version), time.time())
        found = self._connection().execute(_INCREASE, row).fetchone()
        if found is None:
            raise ValueError(f"Key {key!r} not found")
        return int(found[0])

    def clear(self) -> None:
        self._connection().execute("DELETE FROM counts")

    def _connection(self) -> sqlite3.Connection:
        """One for each thread and process: Django makes a cache a thread, and a fork must not share."""
        if self._open is None or self._open[0] != os.getpid():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=10, isolation_level=None)
            # A count that a crash loses is no harm.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute(_TABLE)
            self._open = (os.getpid(), connection)
        return self._open[1]

    def close(self, **kwargs: Any) -> None:
        """Django calls this at the end of each request; the connection lives on, as its thread does."""

    def __del__(self) -> None:
        if self._open is not None and self._open[0] == os.getpid():
            self._open[1].close()
