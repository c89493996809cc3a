"""Lines of a list to check: an ISIN, FIGI or ticker, and with it perhaps the venue and the day of a trade."""

import csv
import dataclasses
import datetime as dt
import re
from collections.abc import Iterable, Iterator

from instruments.fields import MIC
from instruments.isin import problem_of

_MIC = re.compile(MIC)
_SEPARATORS = re.compile(r"[,;\t ]+")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9:]+)?)?")
_HEADER = "isin"
# Names of columns in the header of a table, in lower case, that has others, too.
_NAMES_OF_MIC = ("mic", "venue", "trading_venue")
_NAMES_OF_DAY = ("day", "date", "on", "trade_date", "trading_date", "trading_date_time")
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


@dataclasses.dataclass(frozen=True)
class _Table:
    """Where the lines of a table have the ISIN, the MIC and the day; None for a column that it lacks."""

    delimiter: str
    isin: int
    mic: int | None
    day: int | None

    def make_item(self, number: int, text: str) -> Item | None:
        """Return an item; None for a line without values."""
        fields = _split_quoted(text, self.delimiter)
        if not any(fields):
            return None
        isin, mic, day = (
            fields[column] if column is not None and column < len(fields) else ""
            for column in (self.isin, self.mic, self.day)
        )
        return make_item(number, isin, mic, day)


def parse_lines(lines: Iterable[str]) -> Iterator[Item]:
    """Yield an item for each line that is not empty: `ISIN`, `ISIN MIC`, `ISIN DAY` or `ISIN MIC DAY`.

    A FIGI or a ticker may take the place of the ISIN. Fields are separated by commas, semicolons, tabs or
    spaces, and may be quoted as in CSV. A first line whose first field is `isin` is a header. Further fields
    make a line invalid: nothing is ignored.

    A header with `isin` in another place, or with more than three fields, is that of a table: its columns are
    known by their names, and those with other names are left out.
    """
    is_first = True
    table: _Table | None = None
    for number, line in enumerate(lines, start=1):
        text = line.replace("\x00", "\ufffd").strip("\r\n \ufeff")
        if table is not None:
            if item := table.make_item(number, text):
                yield item
            continue
        fields = _split(text.strip())
        if not any(fields):
            continue
        if is_first:
            is_first = False
            table = _find_table(text)
            if table is not None or fields[0].lower() == _HEADER:
                continue
        yield _make_from_fields(number, fields)


def _find_table(header: str) -> _Table | None:
    """Return where the columns are; None if this is no header, or one of the usual three fields."""
    delimiter = max(",;\t", key=header.count)
    names = [name.lower().replace(" ", "_") for name in _split_quoted(header, delimiter)]
    if _HEADER not in names or (names[0] == _HEADER and len(names) <= 3):
        return None
    mic, day = (
        next((names.index(name) for name in known if name in names), None)
        for known in (_NAMES_OF_MIC, _NAMES_OF_DAY)
    )
    return _Table(delimiter, names.index(_HEADER), mic, day)


def _split_quoted(text: str, delimiter: str) -> list[str]:
    """Return the fields of a line of CSV. A quote that is not closed ends with the line."""
    try:
        fields = next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:  # a field of more than 131,072 characters
        fields = text.split(delimiter)
    return [field.strip() for field in fields]


def _split(text: str) -> list[str]:
    """Return the fields without the quotes around them: none has a separator within."""
    return [field.strip().strip('"').strip() for field in _SEPARATORS.split(text)]


def _make_from_fields(number: int, fields: list[str]) -> Item:
    while fields and not fields[-1]:
        fields.pop()
    code, *values = fields
    if len(values) > 2:
        problem = f"{len(fields)} fields; a line has an ISIN, a MIC and a day at most."
        return Item(number, code.upper()[:_LONGEST_CODE], problem=problem)
    if len(values) == 1 and len(values[0]) > 4:
        return make_item(number, code, "", values[0])
    return make_item(number, code, *values)
