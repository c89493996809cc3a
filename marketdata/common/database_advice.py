"""Advice about errors of the database that come from its surroundings, in place of a traceback."""

from django.conf import settings
from django.db import DatabaseError

from marketdata.common import disks

_LACKS = (
    "Run `manage.py migrate` first, or check that SQLITE_DB_PATH or AZURE_SQL_DATABASE names the right"
    " database; `manage.py database check` shows which one is configured."
)
_DAMAGED = (
    "Check that SQLITE_DB_PATH names the right file. If it is damaged, restore a backup"
    " (docs/backups.md)."
)
_WRITABLE = (
    "The file that SQLITE_DB_PATH names and its folder must exist, and this user must be able to write"
    " to them."
)
# By words of the message of SQLite or SQL Server.
_ADVICE = {
    "database is locked": "Another process has been writing to it for too long. Run the command again"
    " when that has ended; `manage.py runs list --state running` shows the loads at work.",
    "no such table": _LACKS,
    "no such column": _LACKS,
    "Invalid object name": _LACKS,
    "file is not a database": _DAMAGED,
    "database disk image is malformed": _DAMAGED,
    "unable to open database file": _WRITABLE,
    "attempt to write a readonly database": _WRITABLE,
}


def advise(error: DatabaseError) -> str | None:
    """Return the error with what to do about it; None for all other errors."""
    text = str(error)
    if disks.is_full(error):
        full = disks.describe_full(settings.DATABASES["default"]["NAME"])
        return f"The database answers: {text}. Probably {full} Then run the command again."
    advice = next((advice for words, advice in _ADVICE.items() if words in text), None)
    return f"The database answers: {text}. {advice}" if advice else None
