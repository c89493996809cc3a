"""Lines of a list to check, as people paste them or as programs export them."""

import csv
import dataclasses
import re
from collections.abc import Iterable, Iterator
from typing import Self

from instruments.list_check.items import Item, make_invalid, make_item

_SEPARATORS = re.compile(r"[,;\t ]+")
_NO_LETTERS = re.compile("[^a-z]")
# Names of columns, of which only the letters count: those of RTS 22 (fields 28, 36 and 41), and usual ones.
# Of several, the first one here is read: `trade_date` says more than `date`.
_NAMES_OF_ISIN = ("isin", "idisin", "isincode", "instrumentisin", "instrumentidentificationcode")
_NAMES_OF_MIC = ("mic", "miccode", "venuemic", "tradingvenue", "executionvenue", "venue")
_NAMES_OF_DAY = (
    *(
        act + moment
        for act in ("trade", "trading", "transaction", "execution")
        for moment in ("day", "date", "datetime")
    ),
    *("day", "date", "on"),
)


class Lines:
    """The items of a list, one for each line that is not empty.

    A line is `ISIN`, `ISIN MIC`, `ISIN DAY` or `ISIN MIC DAY`. A FIGI or a ticker may take the place of the
    ISIN. Fields are separated by commas, semicolons, tabs or spaces, and may be quoted as in CSV. Further
    fields make a line invalid: nothing is ignored.

    A first line with the name of an ISIN is a header. The columns of a header with commas, semicolons or tabs
    are known by their names, and those with other names are left out; `columns` says so once it is read.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self._table: _Table | None = None

    @property
    def columns(self) -> str:
        """The columns of a table that were read, in sentences; empty before its header, and for others."""
        return self._table.describe() if self._table else ""

    def __iter__(self) -> Iterator[Item]:
        is_first = True
        for number, line in enumerate(self._lines, start=1):
            text = line.replace("\x00", "\ufffd").strip("\r\n \ufeff")
            if self._table is not None:
                if item := self._table.make_item(number, text):
                    yield item
                continue
            fields = _split(text.strip())
            if not any(fields):
                continue
            if is_first:
                is_first = False
                self._table = _Table.find(text)
                if self._table is not None or _simplify(fields[0]) in _NAMES_OF_ISIN:
                    continue
            yield _make_from_fields(number, fields)


@dataclasses.dataclass(frozen=True)
class _Table:
    """Where the lines of a table have the ISIN, the MIC and the day; None for a column that it lacks."""

    delimiter: str
    names: list[str]
    isin: int
    mic: int | None
    day: int | None

    @classmethod
    def find(cls, header: str) -> Self | None:
        """Return the table of a header; None if this is no header, or one without delimiters."""
        delimiter = max(",;\t", key=header.count)
        names = _split_quoted(header, delimiter)
        simple = [_simplify(name) for name in names]
        isin, mic, day = (
            next((simple.index(name) for name in known if name in simple), None)
            for known in (_NAMES_OF_ISIN, _NAMES_OF_MIC, _NAMES_OF_DAY)
        )
        if isin is None or len(names) == 1:
            return None
        return cls(delimiter, names, isin, mic, day)

    def make_item(self, number: int, text: str) -> Item | None:
        """Return an item; None for a line without values."""
        fields = _split_quoted(text, self.delimiter)
        if not any(fields):
            return None
        isin, mic, day = (
            fields[column] if column is not None and column < len(fields) else ""
            for column in (self.isin, self.mic, self.day)
        )
        if any(fields[len(self.names) :]):
            problem = f"{len(fields)} fields; the header has {len(self.names)}."
            return make_invalid(number, isin, f"{problem} Quote fields with {self.delimiter!r}.")
        return make_item(number, isin, mic, day)

    def describe(self) -> str:
        """Return which columns are read, what is asked without the others, and which are left out."""
        places = {"ISIN": self.isin, "MIC": self.mic, "day": self.day}
        read = [
            f"{what} from “{self.names[place]}”"
            for what, place in places.items()
            if place is not None
        ]
        sentences = [f"Read by the header: {', '.join(read)}."]
        if self.day is None:
            sentences.append("No column has days.")
        if self.mic is None:
            sentences.append("No column has venues.")
        others = [
            name for place, name in enumerate(self.names) if name and place not in places.values()
        ]
        if others:
            shown = ", ".join(others[:20]) + (" ..." if len(others) > 20 else "")
            sentences.append(f"Left out: {shown[:500]}.")
        return " ".join(sentences)


def _simplify(name: str) -> str:
    return _NO_LETTERS.sub("", name.lower())


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
        return make_invalid(
            number, code, f"{len(fields)} fields; a line has an ISIN, a MIC and a day at most."
        )
    if len(values) == 1 and len(values[0]) > 4:
        return make_item(number, code, "", values[0])
    return make_item(number, code, *values)
