"""CSV files of identifiers, read and answered line by line, so that their length does not matter.

The header names the columns as the API names the properties of an item: `idValue`, and optionally `idType`
(ID_ISIN by default), `micCode`, `as_of` and `known_on`, in any order.
"""

import csv
import dataclasses
import datetime as dt
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from instruments.bulk_lookup.answers import MAX_ITEMS, SUMMARY, IdType, Item, answer_items
from instruments.fields import MIC
from instruments.listings.export_files import escape_formula, format_row
from marketdata.common.errors import PermanentError
from marketdata.common.suggestions import describe_unknown

INPUT_COLUMNS = ("idType", "idValue", "micCode", "as_of", "known_on")
# `corrections` is a list in JSON.
INSTRUMENT_COLUMNS = tuple(name for name in SUMMARY if name != "corrections")
OUTPUT_COLUMNS = (
    *("line", *INPUT_COLUMNS, "outcome", "message", "instruments", "isins"),
    *(name for name in INSTRUMENT_COLUMNS if name != "isin"),
)
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
    """Yield each line after the header that is not empty. Raises HeaderInvalid.

    A line is a row: a quotation mark that is not closed affects no other line.
    """
    texts = enumerate((text.replace("\x00", "\ufffd") for text in file), start=1)
    _, header_text = next(texts, (1, ""))
    header = _split(header_text)
    columns = [_get_column(name) for name in header]
    if "idValue" not in columns or len(set(columns)) < len(columns):
        raise HeaderInvalid(
            f"The first line is {','.join(header)[:100]!r}. It must name each column once, idValue among"
            f" them: {', '.join(INPUT_COLUMNS)}."
        )
    for number, text in texts:
        fields = _split(text)
        if not any(fields):
            continue
        values = dict(zip(columns, (field.strip() for field in fields), strict=False))
        if len(fields) > len(columns):
            problem = f"{len(fields)} fields; the header has {len(columns)}."
            yield Line(number, values, None, problem)
            continue
        try:
            yield Line(number, values, _make_item(values))
        except ValueError as error:
            yield Line(number, values, None, str(error))


def _split(text: str) -> list[str]:
    return next(csv.reader((text,)), [])


def answer_lines(lines: Iterable[Line]) -> Iterator[tuple[Line, dict[str, Any]]]:
    """Yield each line with its answer, in the same order: `data`, `warning` or `error` as in the API."""
    remaining = iter(lines)
    while chunk := list(itertools.islice(remaining, MAX_ITEMS)):
        answers = iter(answer_items([line.item for line in chunk if line.item is not None]))
        for line in chunk:
            yield line, {"error": line.problem} if line.item is None else next(answers)


def format_csv(
    answers: Iterable[tuple[Line, dict[str, Any]]], *, spreadsheet: bool = False
) -> Iterator[str]:
    """Yield answers as CSV: a header, and a row for each line, with the ISINs of all its instruments.

    The other columns of an instrument are filled if there is only one. With `spreadsheet`, texts that a
    spreadsheet program would read as formulas begin with an apostrophe.
    """
    make_safe = escape_formula if spreadsheet else _keep
    yield format_row(OUTPUT_COLUMNS)
    for line, answer in answers:
        yield format_row([make_safe(value) for value in _make_row(line, answer)])


def _keep(value: Any) -> Any:
    return value


def _make_row(line: Line, answer: dict[str, Any]) -> list[Any]:
    given = [line.number, *(line.values.get(name, "") for name in INPUT_COLUMNS)]
    for outcome in ("error", "warning"):
        if outcome in answer:
            return [*given, outcome, answer[outcome], 0, *[""] * len(INSTRUMENT_COLUMNS)]
    rows = answer["data"]
    isins = " ".join(row["isin"] for row in rows)
    row = rows[0] if len(rows) == 1 else {}
    values = [row.get(name) for name in INSTRUMENT_COLUMNS if name != "isin"]
    return [*given, "data", "", len(rows), isins, *("" if v is None else v for v in values)]


def _get_column(name: str) -> str:
    """Return the column that a name of the header means, in upper or lower case. Raises HeaderInvalid."""
    by_name = {column.casefold(): column for column in INPUT_COLUMNS}
    key = name.strip().lstrip("\ufeff").casefold()
    if key not in by_name:
        raise HeaderInvalid(describe_unknown(name, INPUT_COLUMNS, "column"))
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
        raise ValueError(f"{name}: {text[:50]!r} is not a valid day, such as 2025-08-30.") from None
