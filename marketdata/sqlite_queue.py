"""A message queue in a SQLite file, for installations without Redis: all workers are on one machine.

The messages only wake workers; requests for work are kept in the database (docs/decisions/0006). So nothing
in this file has to be saved: a damaged or foreign file is replaced by a new one, an unreadable message is
dropped, and the schedule sends lost messages again.
"""

import json
import logging
import os
import sqlite3
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, virtual

logger = logging.getLogger(__name__)

SCHEME = "marketdata-sqlite"
_BUSY_SECONDS = 10
_WAIT_SECONDS = 0.2  # for a message, before Celery looks again whether the worker is to stop
_PRIMARY_CODE = 0xFF  # of SQLite's extended result codes
_PASSING_ERRORS = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
_SCHEMA = "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, queue TEXT, body TEXT)"
_TAKE_FIRST = """
DELETE FROM messages WHERE id = (SELECT id FROM messages WHERE queue = ? ORDER BY id LIMIT 1)
RETURNING body
"""


class MessageFile:
    """The SQLite file with the messages of all queues. Not for use by several threads at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._opened_by: tuple[int, int] = (0, 0)

    def put(self, queue: str, body: str) -> None:
        self._execute("INSERT INTO messages (queue, body) VALUES (?, ?)", queue, body)

    def take(self, queue: str) -> str | None:
        """Remove and return the oldest message of a queue; None if it is empty."""
        if not self._execute("SELECT 1 FROM messages WHERE queue = ? LIMIT 1", queue):
            return None  # without a lock: this is asked several times a second
        rows = self._execute(_TAKE_FIRST, queue)
        return str(rows[0][0]) if rows else None

    def count(self, queue: str) -> int:
        rows = self._execute("SELECT count(*) FROM messages WHERE queue = ?", queue)
        return int(rows[0][0]) if rows else 0

    def clear(self, queue: str) -> int:
        """Remove the messages of a queue; return their number."""
        return len(self._execute("DELETE FROM messages WHERE queue = ? RETURNING id", queue))

    def close(self) -> None:
        if self._connection is not None and self._opened_by[0] == os.getpid():
            self._connection.close()
        self._connection = None

    def _open(self) -> sqlite3.Connection:
        """Return the connection of this process to the file that is at the path now."""
        if self._connection is not None and self._opened_by == (os.getpid(), self._inode()):
            return self._connection
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        self._connection, self._opened_by = connection, (os.getpid(), self._inode())
        return connection

    def _inode(self) -> int:
        try:
            return self._path.stat().st_ino
        except FileNotFoundError:
            return 0

    def _execute(self, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement. A damaged file is replaced by a new one first.

        Errors that pass (a locked file, a full disk) are raised as OSError: kombu reconnects on those.
        """
        try:
            try:
                return self._open().execute(sql, parameters).fetchall()
            except sqlite3.DatabaseError as error:
                self.close()
                if error.sqlite_errorcode & _PRIMARY_CODE in _PASSING_ERRORS:
                    raise
                self._remove(error)
                return self._open().execute(sql, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            raise OSError(f"{self._path}: {error}") from error

    def _remove(self, error: sqlite3.Error) -> None:
        logger.error("%s is damaged (%s): it is replaced by an empty queue.", self._path, error)
        for suffix in ("", "-journal"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)


class Channel(virtual.Channel):
    """A kombu channel whose queues are rows of a MessageFile."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        transport: Any = self.connection
        self._messages = MessageFile(Path(transport.client.transport_options["path"]))

    def _put(self, queue: str, message: dict[str, Any], **options: Any) -> None:
        self._messages.put(queue, json.dumps(message))

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        while (body := self._messages.take(queue)) is not None:
            try:
                message: dict[str, Any] = json.loads(body)
                self.Message(message, channel=self)  # raises if a part of the message is missing
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                logger.error("An unreadable message in the queue %s was dropped: %r", queue, error)
            else:
                return message
        raise Empty

    def _size(self, queue: str) -> int:
        return self._messages.count(queue)

    def _purge(self, queue: str) -> int:
        return self._messages.clear(queue)

    def close(self) -> None:
        super().close()
        self._messages.close()


class Transport(virtual.Transport):
    Channel = Channel
    driver_type = driver_name = "sqlite"
    # Errors after which kombu reconnects instead of ending the worker.
    connection_errors = (*virtual.Transport.connection_errors, OSError)

    def drain_events(self, connection: Any, timeout: float | None = None, **options: Any) -> None:
        """Deliver a message, or raise `socket.timeout` soon. Celery would wait for four seconds to stop."""
        super().drain_events(connection, timeout=min(timeout or _WAIT_SECONDS, _WAIT_SECONDS))

    def driver_version(self) -> str:
        return sqlite3.sqlite_version


def register() -> None:
    """Make the transport known to kombu by the scheme of its URL."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
