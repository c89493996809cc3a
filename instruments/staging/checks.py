"""Checks each column of a batch of records, and converts it to the form in which the database keeps it.

Only the distinct values of a column are checked and converted: most columns have few of them, and the result
for a value holds wherever it occurs.
"""

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from instruments import lei
from instruments.fields import FORMS, Field, Type
from instruments.isin import check_digits_hold, problem_of
from instruments.staging import fingerprint

# SQL Server's columns hold 18 digits before the point and 17 after it.
_DECIMAL = r"^[+-]?([0-9]{1,18}(\.[0-9]{0,17})?|\.[0-9]{1,17})$"
_NOT_NORMALIZED = r"^\+|^-?0[0-9]|^-?\.|^-0|\.[0-9]*0$|\.$"
_NORMALIZATION = (
    (r"^\+", ""),
    (r"^(-?)\.", r"\10."),
    (r"^(-?)0+([0-9])", r"\1\2"),
    (r"(\.[0-9]*[1-9])0+$", r"\1"),
    (r"\.0*$", ""),
    (r"^-0$", "0"),
)
# Moments of this day do not exist in zones west of Greenwich.
_FIRST_DAY = "0001-01-01"
_YEAR = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"  # there is no year 0000
_DATE = rf"^{_YEAR}-[0-9]{{2}}-[0-9]{{2}}$"
_DATETIME = rf"^{_YEAR}" + r"-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
_PLAIN_DATETIME = _DATETIME + "Z?$"
_OFFSET_DATETIME = _DATETIME + r"(Z|[+-][0-9]{2}:[0-9]{2})$"

STORED = {type_: pa.int64() if type_ is Type.BOOLEAN else pa.string() for type_ in Type}


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A field of a record with an invalid value, and the reason."""

    row: int
    field: Field
    value: str | None
    reason: str


@dataclasses.dataclass(frozen=True)
class Column:
    """A checked column: `values` as they are stored, what each adds to the fingerprint of its record (None if
    nothing), and the invalid values.
    """

    values: pa.Array
    hashes: np.ndarray | None
    refusals: list[Refusal]


def check(field: Field, texts: pa.StringArray) -> Column:
    """Check one column of texts by its type, and convert it."""
    missing = _missing(field, texts) if field.required and texts.null_count else []
    if texts.null_count == len(texts):
        return Column(pa.nulls(len(texts), STORED[field.type]), None, missing)
    encoded = texts.dictionary_encode()
    distinct: pa.StringArray = encoded.dictionary
    stored, reasons = _CHECKS[field.type](field, distinct)
    values = texts if stored is distinct else stored.take(encoded.indices)
    hashes = None
    if field.hashed:
        hashes_of_distinct = fingerprint.of_distinct(field.column, _text_to_hash(field, stored))
        hashes = _spread(hashes_of_distinct, encoded.indices)
    refusals = [*missing, *_refusals(field, encoded, reasons)] if reasons else missing
    return Column(values, hashes, refusals)


def _missing(field: Field, texts: pa.StringArray) -> list[Refusal]:
    absent = np.flatnonzero(texts.is_null().to_numpy(zero_copy_only=False))
    return [Refusal(int(row), field, None, "is missing") for row in absent]


def _refusals(
    field: Field, encoded: pa.DictionaryArray, reasons: dict[int, str]
) -> Iterator[Refusal]:
    places = pc.index_in(encoded.indices, pa.array(list(reasons), pa.int32()))
    for row in np.flatnonzero(places.is_valid().to_numpy(zero_copy_only=False)).tolist():
        yield Refusal(row, field, encoded[row].as_py(), reasons[encoded.indices[row].as_py()])


def _text_to_hash(field: Field, stored: pa.Array) -> pa.StringArray:
    """Return the texts that stand for the values in fingerprints: equal values have equal texts.

    An invalid value has no text of its own: its record is rejected.
    """
    texts = stored.cast(pa.string())
    if texts.null_count:
        texts = texts.fill_null("")
    return _normalized_decimals(texts) if field.type is Type.DECIMAL else texts


def _normalized_decimals(texts: pa.StringArray) -> pa.StringArray:
    """Return decimals without plus sign and needless zeros: `37.0`, `37.00` and `+037` become `37`."""
    if not pc.any(pc.match_substring_regex(texts, _NOT_NORMALIZED)).as_py():
        return texts
    for pattern, replacement in _NORMALIZATION:
        texts = pc.replace_substring_regex(texts, pattern, replacement)
    return texts


def _spread(hashes: np.ndarray, indices: pa.Int32Array) -> np.ndarray:
    """Return the hash at each index, and 0 where there is no index."""
    padded = np.append(hashes, 0)
    result: np.ndarray = padded[indices.fill_null(len(hashes)).to_numpy()]
    return result


# Distinct values as they are stored, and the reasons why some of them, by index, are invalid.
_Checked = tuple[pa.Array, dict[int, str]]


def _failing(matches: pa.BooleanArray) -> list[int]:
    if pc.all(matches).as_py():
        return []
    return [int(i) for i in np.flatnonzero(~matches.to_numpy(zero_copy_only=False))]


def _matching(distinct: pa.StringArray, pattern: str, reason: str) -> dict[int, str]:
    return dict.fromkeys(_failing(pc.match_substring_regex(distinct, pattern)), reason)


def _text(field: Field, distinct: pa.StringArray) -> _Checked:
    fits = pc.less_equal(pc.utf8_length(distinct), field.max_length)
    return distinct, dict.fromkeys(_failing(fits), f"longer than {field.max_length} characters")


def _code(field: Field, distinct: pa.StringArray) -> _Checked:
    form = FORMS.get(field.pattern, "")
    reason = f"does not match {field.pattern}" + (f": {form}" if form else "")
    reasons = _matching(distinct, f"^(?:{field.pattern})$", reason)
    if field.column == "isin":
        reasons |= _wrong_isins(distinct, [i for i in range(len(distinct)) if i not in reasons])
    elif field.has_check_digits:
        reasons |= _wrong_leis(distinct, [i for i in range(len(distinct)) if i not in reasons])
    return distinct, reasons


def _wrong_isins(distinct: pa.StringArray, well_formed: list[int]) -> dict[int, str]:
    """Return the reasons for ISINs with a wrong check digit, of those with the form of an ISIN."""
    isins = distinct.take(pa.array(well_formed, pa.int64()))
    failing = np.flatnonzero(~check_digits_hold(_fixed_width(isins, 12))).tolist()
    return {well_formed[i]: problem_of(isins[i].as_py()) or "" for i in failing}


def _wrong_leis(distinct: pa.StringArray, well_formed: list[int]) -> dict[int, str]:
    """Return the reasons for LEIs with wrong check digits, of those with the form of an LEI."""
    leis = distinct.take(pa.array(well_formed, pa.int64()))
    failing = np.flatnonzero(~lei.check_digits_hold(_fixed_width(leis, lei.LENGTH))).tolist()
    return {well_formed[i]: "the check digits are wrong" for i in failing}


def _boolean(field: Field, distinct: pa.StringArray) -> _Checked:
    known = pc.is_in(distinct, pa.array(["true", "false", "1", "0"]))
    truth = pc.is_in(distinct, pa.array(["true", "1"])).cast(pa.int64())
    return truth, dict.fromkeys(_failing(known), "neither true nor false")


def _date(field: Field, distinct: pa.StringArray) -> _Checked:
    reasons = _matching(distinct, _DATE, "not a date")
    try:
        distinct.cast(pa.date32())
    except pa.ArrowInvalid:
        texts = enumerate(distinct.to_pylist())
        reasons |= {i: "not a date" for i, text in texts if not _is_date(text)}
    return distinct, reasons


def _on_first_day(stored: pa.StringArray) -> dict[int, str]:
    is_first = pc.starts_with(stored, _FIRST_DAY).fill_null(False)
    return dict.fromkeys(_failing(pc.invert(is_first)), "before 0001-01-02")


def _datetime(field: Field, distinct: pa.StringArray) -> _Checked:
    """Convert to UTC as Django writes it into SQLite: `2025-08-30 03:00:00`, with microseconds if any.

    A time without zone is UTC: the files of 2017 have such times.
    """
    if pc.all(pc.match_substring_regex(distinct, _PLAIN_DATETIME)).as_py():
        try:
            stored = _as_stored(pc.utf8_rtrim(distinct, "Z").cast(pa.timestamp("us")))
        except pa.ArrowInvalid:
            pass
        else:
            return stored, _on_first_day(stored)
    moments = [_utc(text) for text in distinct.to_pylist()]
    wrong = [i for i, moment in enumerate(moments) if moment is None]
    stored = _as_stored(pa.array(moments, pa.timestamp("us")))
    return stored, dict.fromkeys(wrong, "not a date and time") | _on_first_day(stored)


def _decimal(field: Field, distinct: pa.StringArray) -> _Checked:
    return distinct, _matching(
        distinct,
        _DECIMAL,
        "not a decimal with at most 18 digits before the point and 17 after",
    )


_CHECKS: dict[Type, Callable[[Field, pa.StringArray], _Checked]] = {
    Type.TEXT: _text,
    Type.CODE: _code,
    Type.BOOLEAN: _boolean,
    Type.DATE: _date,
    Type.DATETIME: _datetime,
    Type.DECIMAL: _decimal,
}


def _fixed_width(texts: pa.StringArray, width: int) -> np.ndarray:
    """Return the characters of texts that all have `width` ASCII characters, as (n, width) of uint8."""
    data = np.frombuffer(texts.buffers()[2], dtype=np.uint8)
    begin = texts.offset * width
    return data[begin : begin + len(texts) * width].reshape(len(texts), width)


def _is_date(text: str) -> bool:
    try:
        return bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def _utc(text: str) -> dt.datetime | None:
    """Return the moment in UTC, without zone; None if the text is not a date and time."""
    matches = (
        pc.match_substring_regex(pa.scalar(text), p) for p in (_PLAIN_DATETIME, _OFFSET_DATETIME)
    )
    if not any(match.as_py() for match in matches):
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
        return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None


def _as_stored(moments: pa.TimestampArray) -> pa.StringArray:
    return pc.replace_substring_regex(moments.cast(pa.string()), r"\.000000$", "")
