"""Transient errors of SQL Server and Azure SQL, and the statements that may be repeated after them.

Error numbers: learn.microsoft.com, "Troubleshoot transient connection errors in SQL Database".
"""

import re

from django.db import OperationalError

# For these errors the server recommends to try again. The failed statement has been rolled back.
_TRANSIENT = {
    1204: "no locks are left",
    1205: "chosen as the victim of a deadlock",
    1222: "a lock was not given in time",
    3960: "another transaction changed the row",
    4060: "the database cannot be opened yet",
    4221: "a replica is not ready for reading",
    10928: "the limit of sessions or workers is reached",
    10929: "the server is too busy",
    40143: "the service has met an error",
    40197: "the service has met an error, or is upgraded",
    40501: "the service is busy",
    40540: "the service has met an error",
    40613: "the database is not available, or waking up",
    42108: "the pool of the database is waking up",
    42109: "the pool of the database is waking up",
    49918: "too few resources to process the request",
    49919: "too many create or update operations",
    49920: "too many operations in progress",
}
# The connection was lost or not established in time. The statement may or may not have been executed.
_CONNECTION_LOST = re.compile(
    r"\b(?:08S01|08S02|08001|08003|08007|HYT01)\b|communication link failure|login timeout expired"
    r"|unable to establish connection|connection (?:reset|refused|is closed)"
    # Messages of the RuntimeError that mssql-python raises if the rest of a result does not arrive.
    r"|SQLGetData failed|error fetching LOB",
    re.IGNORECASE,
)
# These look like a lost connection, but do not pass by waiting.
_PERMANENT = re.compile(r"certificate|SSL|TLS|can't open lib|login failed", re.IGNORECASE)
_READS = re.compile(r"\s*SELECT\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|MERGE|INTO|EXEC(?:UTE)?)\b", re.IGNORECASE)


class TransientFault(OperationalError):
    """A temporary failure of the database: the same statement may succeed later."""


def find_number(error: BaseException) -> int | None:
    """Return the number of a transient error from the driver's message, as in `... message (40613) ...`."""
    numbers = (int(digits) for digits in re.findall(r"\((\d{4,5})\)", str(error)))
    number = next((number for number in numbers if number in _TRANSIENT), None)
    if number is None and re.search(r"\b40001\b", str(error)):  # the SQLSTATE of a deadlock
        return 1205
    return number if number is not None else _find_number_by_text(str(error))


def is_connection_lost(error: BaseException) -> bool:
    return bool(_CONNECTION_LOST.search(str(error))) and not _PERMANENT.search(str(error))


def is_transient(error: BaseException) -> bool:
    """Return whether the same statement may succeed later."""
    if type(error).__name__ in ("IntegrityError", "DataError"):
        return False  # Their messages quote values, which may look like any error.
    return find_number(error) is not None or is_connection_lost(error)


def describe(error: BaseException) -> str:
    """Return a short explanation of a transient error."""
    number = find_number(error)
    return _TRANSIENT[number] if number is not None else "the connection was lost"


def only_reads(sql: str) -> bool:
    """Return whether a statement only reads, so that repeating it does no harm."""
    return _READS.match(sql) is not None and _WRITES.search(sql) is None


# mssql-python gives the server's message, but not its number.
_NUMBERS_BY_TEXT = {
    "cannot obtain a lock resource": 1204,
    "cannot open database": 4060,
    "login to read-secondary failed": 4221,
    "limit for the database is": 10928,
    "server is currently too busy": 10929,
    "sql pool since it is paused": 42108,
    "sql pool is warming up": 42109,
    "deadlock": 1205,
    "too busy to support requests": 10929,
    "is not currently available": 40613,
    "service is currently busy": 40501,
    "service has encountered an error": 40197,
    "not enough resources to process request": 49918,
    "too many create or update operations": 49919,
    "too many operations in progress": 49920,
    "snapshot isolation transaction aborted": 3960,
    "lock request time out period exceeded": 1222,
}


def _find_number_by_text(text: str) -> int | None:
    lower = text.lower()
    return next((number for part, number in _NUMBERS_BY_TEXT.items() if part in lower), None)
