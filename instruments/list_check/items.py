"""Items of a list to check: an ISIN, FIGI or ticker, and with it perhaps the venue and the day of a trade."""

import dataclasses
import datetime as dt
import re

from instruments.fields import MIC
from instruments.isin import problem_of

_MIC = re.compile(MIC)
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?")
_LONGEST_CODE = 50


@dataclasses.dataclass(frozen=True)
class Item:
    """One line to check. `mic` is "" for any venue, `on` is None if the line names no day.

    `code` is an ISIN, a FIGI or a ticker, as given; what it means is looked up with the others of a list.
    `problem` is the reason why the line cannot be checked, None if it can.
    """

    line: int
    code: str
    mic: str = ""
    on: dt.date | None = None
    problem: str | None = None


def make_item(line: int, code: str, mic: str = "", on: dt.date | str | None = None) -> Item:
    """Return an item from texts in upper or lower case; `problem` says what is wrong with them."""
    code, mic = code.strip().upper(), mic.strip().upper()
    day: dt.date | None = None
    problem = None
    if not code:
        problem = "The field of the ISIN is empty: it takes an ISIN, a FIGI or a ticker."
    elif len(code) > _LONGEST_CODE:
        problem = f"Not an ISIN: {problem_of(code)}."
    elif mic and not _MIC.fullmatch(mic):
        problem = f"Not a MIC: {mic!r} is not four letters or digits."
    if isinstance(on, str) and on.strip():
        day = _parse_day(on.strip())
        if day is None:
            problem = problem or f"Not a day: {on.strip()[:50]!r}. Write days as 2025-08-30."
    elif isinstance(on, dt.date):
        day = on
    return Item(line, code[:_LONGEST_CODE], mic[:10], day, problem)


def _parse_day(text: str) -> dt.date | None:
    """Return the day in UTC of a day or a time in ISO 8601; None for other texts.

    A space in place of the T is how databases write times.
    All times in the records are in UTC, and so is one that names no time zone.
    """
    if not _DAY.fullmatch(text):
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
        return moment.date() if moment.tzinfo is None else moment.astimezone(dt.UTC).date()
    except (ValueError, OverflowError):
        return None


def make_invalid(line: int, code: object, problem: str) -> Item:
    """Return an item that cannot be checked; what is not a text is no code."""
    text = code.strip().upper() if isinstance(code, str) else ""
    return Item(line, text[:_LONGEST_CODE], problem=problem)
