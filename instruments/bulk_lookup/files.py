"""CSV files of identifiers, read and answered line by line, so that their length does not matter.

The header names the columns as the API names the properties of an item: `idValue`, and optionally `idType`
(ID_ISIN by default), `micCode`, `as_of` and `known_on`, in any order.
"""

import csv
import dataclasses
import datetime as dt
import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from instruments.bulk_lookup.answers import MAX_ITEMS, SUMMARY, IdType, Item, answer_items
from instruments.fields import MIC
from marketdata.common.errors import PermanentError

INPUT_COLUMNS = ("idType", "idValue", "micCode", "as_of", "known_on")
# `corrections` is a list in JSON.
INSTRUMENT_COLUMNS = tuple(name for name in SUMMARY if name != "corrections")
OUTPUT_COLUMNS = ("line", *INPUT_COLUMNS, "outcome", "message", *INSTRUMENT_COLUMNS)
_LONGEST_VALUE = 100
_MIC = re.compile(MIC)


class HeaderInvalid(PermanentError):
    """The first line of a file does not name its columns."""


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a file: its number, its values as given, and the item, or the problem of it."""

    number: int
    values: dict[str, str]
    item: Item | None
    problem: str = ""


def read_lines(file: Iterable[str]) -> Iterator[Line]:
    """Yield each line after the header that is not empty. Raises HeaderInvalid."""
    reader = csv.reader(text.replace("\x00", "\ufffd") for text in file)
    header = next(reader, [])
    columns = [_get_column(name) for name in header]
    if "idValue" not in columns or len(set(columns)) < len(columns):
        raise HeaderInvalid(
            f"The first line is {','.join(header)[:100]!r}. It must name each column once, idValue among"
            f" them: {', '.join(INPUT_COLUMNS)}."
        )
    for fields in reader:
        if not any(fields):
            continue
        values = dict(zip(columns, (field.strip() for field in fields), strict=False))
        if len(fields) > len(columns):
            problem = f"{len(fields)} fields; the header has {len(columns)}."
            yield Line(reader.line_num, values, None, problem)
            continue
        try:
            yield Line(reader.line_num, values, _make_item(values))
        except ValueError as error:
            yield Line(reader.line_num, values, None, str(error))


def answer_lines(lines: Iterable[Line]) -> Iterator[tuple[Line, dict[str, Any]]]:
    """Yield each line with its answer, in the same order: `data`, `warning` or `error` as in the API."""
    remaining = iter(lines)
    while chunk := list(itertools.islice(remaining, MAX_ITEMS)):
        answers = iter(answer_items([line.item for line in chunk if line.item is not None]))
        for line in chunk:
            yield line, {"error": line.problem} if line.item is None else next(answers)


def make_rows(line: Line, answer: dict[str, Any]) -> Iterator[list[Any]]:
    """Yield the rows of CSV for one line: one for each instrument, or one with the message."""
    given = [line.number, *(line.values.get(name, "") for name in INPUT_COLUMNS)]
    for outcome in ("error", "warning"):
        if outcome in answer:
            yield [*given, outcome, answer[outcome], *[""] * len(INSTRUMENT_COLUMNS)]
    for row in answer.get("data", ()):
        yield [*given, "data", "", *_get_values(row)]


def _get_values(row: dict[str, Any]) -> Sequence[Any]:
    return ["" if row[name] is None else row[name] for name in INSTRUMENT_COLUMNS]


def _get_column(name: str) -> str:
    """Return the column that a name of the header means, in upper or lower case. Raises HeaderInvalid."""
    by_name = {column.casefold(): column for column in INPUT_COLUMNS}
    key = name.strip().lstrip("\ufeff").casefold()
    if key not in by_name:
        close = difflib.get_close_matches(key, by_name, n=1)
        suggestion = f" Did you mean {by_name[close[0]]!r}?" if close else ""
        known = ", ".join(INPUT_COLUMNS)
        raise HeaderInvalid(f"Unknown column {name[:100]!r}.{suggestion} Known columns: {known}.")
    return by_name[key]


def _make_item(values: dict[str, str]) -> Item:
    """Return the item. Raises ValueError with the reason for an invalid one."""
    id_type = values.get("idType", "").upper() or IdType.ISIN.value
    if id_type not in {known.value for known in IdType}:
        choices = ", ".join(known.value for known in IdType)
        raise ValueError(
            f"idType: {id_type[:50]!r} is not a valid choice. Choose one of: {choices}."
        )
    value = values.get("idValue", "").upper()
    if not 1 <= len(value) <= _LONGEST_VALUE:
        raise ValueError(
            f"idValue has {len(value)} characters; it must have 1 to {_LONGEST_VALUE}."
        )
    mic = values.get("micCode", "").upper()
    if mic and not _MIC.fullmatch(mic):
        raise ValueError(f"micCode: {mic[:50]!r} is not four letters or digits.")
    return Item(
        IdType(id_type),
        value,
        mic=mic,
        as_of=_parse_day("as_of", values),
        known_on=_parse_day("known_on", values),
    )


def _parse_day(name: str, values: dict[str, str]) -> dt.date | None:
    text = values.get(name, "")
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise ValueError(f"{name}: {text[:50]!r} is not a day as 2025-08-30.") from None
