"""The days on which a record of a republished file was known.

A revision decides about the days from its creation until that of the next newer one, the first one from the
beginning: on these days exactly its records were known.
"""

import datetime as dt
from collections.abc import Sequence

from esma_files.models import EsmaFile

BEGINNING, OPEN = dt.date.min, dt.date.max  # from the day of the file, and until today

Days = tuple[dt.date, dt.date]  # the first day, and the day after the last


def get_days(file: EsmaFile, others: Sequence[EsmaFile]) -> Days:
    """Return the days on which a revision was the newest one, of all revisions that are loaded."""
    newer = [other for other in others if other.is_newer_than(file)]
    first, last = get_creation_day(file), min(map(get_creation_day, newer))
    return (BEGINNING if len(newer) == len(others) else first), last


def get_creation_day(file: EsmaFile) -> dt.date:
    """Return the day on which a revision was created; the first of all days where that is not known."""
    return file.created_at.date() if file.created_at else BEGINNING


def choose_known(revisions: Sequence[EsmaFile], known_on: dt.date) -> EsmaFile:
    """Return the revision that was the newest one on a day: the first one before any was created."""
    created = [file for file in revisions if get_creation_day(file) <= known_on]
    if not created:
        return next(f for f in revisions if not any(map(f.is_newer_than, revisions)))
    return next(f for f in created if not any(other.is_newer_than(f) for other in created))


def change_days(before: list[Days], days: Days, *, is_known: bool) -> list[Days]:
    """Return the days on which a record was known, if exactly it was, or was not, known on some days."""
    others = _without(before, days)
    return _joined([*others, days]) if is_known else others


def _without(intervals: list[Days], days: Days) -> list[Days]:
    """Return intervals without some days."""
    parts = []
    for first, last in intervals:
        parts += [(first, min(last, days[0])), (max(first, days[1]), last)]
    return [(first, last) for first, last in parts if first < last]


def _joined(intervals: list[Days]) -> list[Days]:
    """Return intervals in order; those that touch become one."""
    joined: list[Days] = []
    for first, last in sorted(intervals):
        if joined and joined[-1][1] >= first:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def get_known_from(first: dt.date) -> dt.date | None:
    """Return the value of `known_from`: None for the day of the file."""
    return None if first == BEGINNING else first
