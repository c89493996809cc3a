"""Which errors of the server pass by themselves, and what may be done again after them.

Numbers: learn.microsoft.com, "Troubleshoot transient connection errors in SQL Database".
"""

import re

from django.db import OperationalError

# The server says of these that the same may work in a moment; what failed has been rolled back.
_PASSING = {
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
# The link is lost, or there was none in time: nobody knows whether the statement was carried out.
_LINK = re.compile(
    r"\b(?:08S01|08S02|08001|08003|08007|HYT01)\b|communication link failure|login timeout expired"
    r"|unable to establish connection|connection (?:reset|refused|is closed)"
    # What mssql-python raises where the rest of an answer does not come: a RuntimeError.
    r"|SQLGetData failed|error fetching LOB",
    re.IGNORECASE,
)
# These look like a lost link, and will not mend by waiting.
_FOR_GOOD = re.compile(r"certificate|SSL|TLS|can't open lib|login failed", re.IGNORECASE)
_READS = re.compile(r"\s*SELECT\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|MERGE|INTO|EXEC(?:UTE)?)\b", re.IGNORECASE)


class TransientFault(OperationalError):
    """The database could not do this just now; the same may work in a moment."""


def number(error: BaseException) -> int | None:
    """The number of a fault that passes, as the driver gives it: `... message (40613) ...`."""
    found = (int(digits) for digits in re.findall(r"\((\d{4,5})\)", str(error)))
    said = next((found_number for found_number in found if found_number in _PASSING), None)
    if said is None and re.search(r"\b40001\b", str(error)):  # the SQLSTATE of a deadlock
        return 1205
    return said if said is not None else _by_words(str(error))


def lost_link(error: BaseException) -> bool:
    return bool(_LINK.search(str(error))) and not _FOR_GOOD.search(str(error))


def passes(error: BaseException) -> bool:
    """Whether the same may work in a moment."""
    if type(error).__name__ in ("IntegrityError", "DataError"):
        return False  # these quote values, which may look like anything
    return number(error) is not None or lost_link(error)


def explained(error: BaseException) -> str:
    """What a fault that passes means, in a few words."""
    said = number(error)
    return _PASSING[said] if said is not None else "the connection was lost"


def only_reads(sql: str) -> bool:
    """Whether a statement may be sent again although nobody knows if it was carried out."""
    return _READS.match(sql) is not None and _WRITES.search(sql) is None


# mssql-python gives the server's message, and never its number.
_WORDS = {
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


def _by_words(text: str) -> int | None:
    lower = text.lower()
    return next((found for words, found in _WORDS.items() if words in lower), None)
