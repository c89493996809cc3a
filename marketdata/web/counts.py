"""A cache backend for counters shared by all processes of one machine, used without Redis.

Django's own caches cannot count across processes: the memory cache is separate in each, and `incr` of the
file and database caches reads and then writes, which loses counts. The counters are in a SQLite file of
their own, so that a request never waits for a load that writes to the main database.
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
# Insert a counter, or restart it if its time is over. Otherwise do nothing.
_ADD = """
INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE
SET count = excluded.count, ends = excluded.ends WHERE ends <= ?
"""
_INCREASE = "UPDATE counts SET count = count + ? WHERE key = ? AND ends > ? RETURNING count"
_SWEEP_SECONDS = 60


class FileCounts(BaseCache):
    """The part of Django's cache interface that counting needs. Each change is one atomic statement."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._path = Path(location)
        self._open: tuple[int, sqlite3.Connection] | None = None
        self._swept = 0.0
        # The ends of counters that run, as far as this object has seen them: `add` need not ask again.
        self._ends: dict[str, float] = {}

    def add(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        """Start a counter unless it exists and has not expired. Return whether it was started."""
        name, now = self.make_key(key, version), time.time()
        if self._ends.get(name, 0.0) > now:
            return False
        if now > self._swept + _SWEEP_SECONDS:
            self._connection().execute("DELETE FROM counts WHERE ends <= ?", (now,))
            self._ends = {name: ends for name, ends in self._ends.items() if ends > now}
            self._swept = now
        seconds = (self.default_timeout or 0) if timeout is DEFAULT_TIMEOUT else timeout
        is_new = self._connection().execute(_ADD, (name, int(value), now + seconds, now)).rowcount
        ends = self._connection().execute("SELECT ends FROM counts WHERE key = ?", (name,))
        self._ends[name] = max((row[0] for row in ends), default=0.0)
        return is_new == 1

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        row = (self.make_key(key, version), time.time())
        sql = "SELECT count FROM counts WHERE key = ? AND ends > ?"
        result = self._connection().execute(sql, row).fetchone()
        return result[0] if result else default

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """Add to a counter and return it. Raises ValueError, as Django does, if it does not exist."""
        name = self.make_key(key, version)
        result = self._connection().execute(_INCREASE, (delta, name, time.time())).fetchone()
        if result is None:
            self._ends.pop(name, None)
            raise ValueError(f"Key {key!r} not found")
        return int(result[0])

    def clear(self) -> None:
        self._connection().execute("DELETE FROM counts")
        self._ends = {}

    def _connection(self) -> sqlite3.Connection:
        """Return the connection of this thread and process.

        Django creates one cache object per thread; after a fork a new connection is opened.
        """
        if self._open is None or self._open[0] != os.getpid():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Only its thread uses it, but the garbage collection of any other may close it.
            connection = sqlite3.connect(
                self._path, timeout=10, isolation_level=None, check_same_thread=False
            )
            # Losing counts in a crash does no harm, so writes are not synced.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute(_TABLE)
            self._open = (os.getpid(), connection)
        return self._open[1]

    def close(self, **kwargs: Any) -> None:
        """Do nothing at the end of a request: the connection is kept as long as its thread."""

    def __del__(self) -> None:
        if self._open is not None and self._open[0] == os.getpid():
            self._open[1].close()
