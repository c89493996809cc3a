"""Time limits of requests: the statements that a request sends to the database are stopped after a while.

The limit is for a request as a whole, so that many short statements take no longer than one long one.
On SQLite, a progress handler stops the statement that is running; on SQL Server, the driver's query
timeout does (`marketdata.azure_sql.base`). Waiting for a lock of another connection counts, too. Code
outside of a limit, as loads and commands, takes as long as it takes.
"""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.db import OperationalError

DETAIL = "The answer took longer than the time limit of a request. Narrow the filters, or try again later."
RETRY_AFTER_SECONDS = 30
# For what an error itself takes: rolling back, and its page.
_GRACE_SECONDS = 5
# Instructions of SQLite's virtual machine between two looks at the clock: a few milliseconds.
_INSTRUCTIONS = 200_000


class TimeLimitExceeded(OperationalError):
    """The statements of a request took longer than its time limit."""


class _Thread(threading.local):
    """The end of the time limit that this thread is under, of `time.monotonic()`; None without a limit.

    `limited` are its SQLite connections whose waiting for locks is limited, too.
    """

    end: float | None = None

    def __init__(self) -> None:
        self.limited: list[Any] = []


_thread = _Thread()


def remaining_seconds() -> float | None:
    """Return the seconds left of the time limit of this thread, 0 after its end, None without a limit."""
    return None if _thread.end is None else max(0.0, _thread.end - time.monotonic())


def is_exceeded() -> bool:
    return remaining_seconds() == 0


@contextlib.contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Stop the statements of this thread that run in the block longer than `seconds` altogether."""
    previous = _thread.end
    _thread.end = time.monotonic() + seconds
    try:
        yield
    finally:
        _thread.end = previous
        _restore_lock_timeouts()


@contextlib.contextmanager
def limit_part(seconds: float) -> Iterator[None]:
    """Stop the statements in the block after `seconds`, so that the rest of an answer can do without them.

    Raises TimeLimitExceeded. It never extends the limit of the request.
    """
    left = remaining_seconds()
    with limit(seconds if left is None else min(seconds, left)):
        try:
            yield
        except OperationalError as error:
            if is_exceeded():  # on reading rows, too
                raise TimeLimitExceeded(DETAIL) from error
            raise


def extend() -> None:
    """Allow a few seconds more, for the answer to a request whose limit is exceeded."""
    _thread.end = time.monotonic() + _GRACE_SECONDS


def prepare_connection(connection: Any, **kwargs: Any) -> None:
    """Put every statement of a new connection under the limit of its thread (signal `connection_created`)."""
    if connection.vendor == "sqlite":
        connection.connection.set_progress_handler(is_exceeded, _INSTRUCTIONS)
    if _execute_within_limit not in connection.execute_wrappers:
        connection.execute_wrappers.append(_execute_within_limit)


def _execute_within_limit(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    seconds = remaining_seconds()
    if seconds is None:
        return execute(sql, params, many, context)
    if seconds == 0:
        raise TimeLimitExceeded(DETAIL)
    connection = context["connection"]
    if connection.vendor == "sqlite" and connection not in _thread.limited:
        _set_lock_timeout(connection, math.ceil(seconds * 1000))
        _thread.limited.append(connection)
    try:
        return execute(sql, params, many, context)
    except OperationalError as error:
        if is_exceeded():
            raise TimeLimitExceeded(DETAIL) from error
        raise


def _set_lock_timeout(connection: Any, milliseconds: int) -> None:
    """Wait no longer for another connection that writes to the SQLite file."""
    connection.connection.execute(f"PRAGMA busy_timeout={milliseconds}")


def _restore_lock_timeouts() -> None:
    while _thread.limited:
        connection = _thread.limited.pop()
        if connection.connection is not None:
            seconds = connection.settings_dict["OPTIONS"].get("timeout", 5)
            _set_lock_timeout(connection, round(seconds * 1000))


def is_due_to_limit(error: BaseException | None) -> bool:
    """Return whether a statement was stopped at the end of the limit, on reading its rows too."""
    return isinstance(error, TimeLimitExceeded) or (
        isinstance(error, OperationalError) and is_exceeded()
    )


def limit_parts(parts: Iterator[bytes], seconds: float) -> Iterator[bytes]:
    """Yield the parts of a streamed answer, each made within its own limit."""
    while True:
        with limit(seconds):
            try:
                part = next(parts)
            except StopIteration:
                return
        yield part
