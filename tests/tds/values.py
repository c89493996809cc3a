"""Converting and comparing values as SQL Server does, with its errors."""

import datetime
import re
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from tests.tds.tokens import SqlError
from tests.tds.types import MAX, SqlType

_RANGES = {
    "tinyint": (0, 255),
    "smallint": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
_TIME = re.compile(
    r"\s*(?:(\d{4})[-/]?(\d\d?)[-/]?(\d\d?))?(?:[T ]?(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?)?"
    r"\s*(Z|[+-]\d\d:\d\d)?\s*"
)
_DECIMAL = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)\s*")  # without an exponent
_WIDE = Context(prec=80)
_OF_TIMES = {"date", "time", "datetime2", "datetimeoffset"}


def converted(value: Any, to: SqlType, column: str = "", *, cast: bool = False) -> Any:
    """A value as one of another type; a text is cut by a cast only. Raises SqlError."""
    if value is None:
        return None
    if to.is_text:
        return _text(value, to, column, cast=cast)
    if to.name in _RANGES:
        return _integer(value, to)
    if to.name in ("bit", "float"):
        number = _number(value, to)
        return int(number != 0) if to.name == "bit" else float(number)
    if to.name == "decimal":
        return _decimal(value, to)
    if to.name in _OF_TIMES:
        return _time(value, to)
    if to.name in ("binary", "varbinary"):
        return _bytes(value, to, column, cast=cast)
    return str(value).upper()


def _text(value: Any, to: SqlType, column: str, *, cast: bool) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-16-le", "replace")
    text = _of_float(value) if isinstance(value, float) else str(value)
    length = len(text.encode("utf-16-le")) // 2
    if to.size != MAX and length > to.size:
        if cast and isinstance(value, str):
            return _cut(text, to.size)
        if len(text.rstrip(" ")) > to.size:
            raise SqlError(
                2628,
                f"String or binary data would be truncated in table and column '{column}'."
                f" Truncated value: '{text[: to.size]}'.",
            )
        text = _cut(text, to.size)
    return text


def _cut(text: str, units: int) -> str:
    """A letter beyond the first 65,536 is two units."""
    return text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "replace")


def _of_float(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e6 else f"{value:.6g}"


def _bytes(value: Any, to: SqlType, column: str, *, cast: bool) -> bytes:
    if not isinstance(value, bytes):
        if cast and isinstance(value, str):
            value = value.encode("utf-16-le")
        else:
            raise SqlError(257, f"Implicit conversion to {to} is not allowed.")
    if to.size != MAX and len(value) > to.size and not cast:
        raise SqlError(2628, f"String or binary data would be truncated in column '{column}'.")
    data: bytes = value[: to.size] if to.size != MAX else value
    return data


def _number(value: Any, to: SqlType) -> Decimal:
    if isinstance(value, (int, float)):
        return Decimal(repr(value))
    if isinstance(value, bytes):
        return Decimal(int.from_bytes(value, "big", signed=True))
    if _TIME.fullmatch(str(value)) and "-" in str(value)[1:]:
        raise SqlError(206, f"Operand type clash: a date is incompatible with {to}")
    try:
        return Decimal(str(value).strip() or "0")
    except InvalidOperation as error:
        raise _failed(value, to) from error


def _failed(value: Any, to: SqlType) -> SqlError:
    if to.name in _RANGES or to.name == "bit":
        message = (
            f"Conversion failed when converting the nvarchar value '{value}' to data type {to}."
        )
        return SqlError(245, message)
    if to.name in _OF_TIMES:
        message = "Conversion failed when converting date and/or time from character string."
        return SqlError(241, message)
    return SqlError(8114, f"Error converting data type nvarchar to {to.name}.")


def _integer(value: Any, to: SqlType) -> int:
    if isinstance(value, str) and not value.strip():
        return 0
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise _failed(value, to)
    number = _number(value, to)
    whole = int(number)
    least, most = _RANGES[to.name]
    if not least <= whole <= most:
        raise SqlError(8115, f"Arithmetic overflow error converting expression to data type {to}.")
    return whole


def _decimal(value: Any, to: SqlType) -> str:
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise _failed(value, to)
    number = _number(value, to)
    rounded = number.quantize(Decimal(1).scaleb(-to.scale), ROUND_HALF_UP, _WIDE)
    if len(rounded.as_tuple().digits) > to.size and rounded:
        raise SqlError(8115, f"Arithmetic overflow error converting to data type {to.name}.")
    return f"{rounded:f}"


def _time(value: Any, to: SqlType) -> str:
    if not isinstance(value, str):
        raise SqlError(206, f"Operand type clash: a number is incompatible with {to}")
    match = _TIME.fullmatch(value)
    if not match or not value.strip():
        raise _failed(value, to)
    year, month, day, hour, minute, second, part, zone = match.groups()
    date = f"{year or 1900}-{(month or '1').zfill(2)}-{(day or '1').zfill(2)}"
    try:
        datetime.datetime.fromisoformat(f"{date} {hour or '00'}:{minute or '00'}:{second or '00'}")
    except ValueError as error:
        raise _failed(value, to) from error
    clock = f"{hour or '00'}:{minute or '00'}:{second or '00'}.{(part or '').ljust(7, '0')}"
    if to.name == "date":
        return date
    if to.name == "time":
        return clock
    if to.name == "datetime2":
        return f"{date} {clock}"
    return f"{date} {clock} {'+00:00' if zone in (None, 'Z') else zone}"


def instant(text: str) -> tuple[int, int]:
    """Return a datetimeoffset in a form that can be compared: seconds, and the fraction."""
    at = datetime.datetime.fromisoformat(f"{text[:19]}+00:00")
    sign = -1 if text[28:29] == "-" else 1
    away = sign * (int(text[29:31] or 0) * 3600 + int(text[32:34] or 0) * 60)
    return int(at.timestamp()) - away, int(text[20:27] or 0)


def _sign(first: Any, second: Any) -> int:
    return int(first > second) - int(first < second)


def compare_decimals(first: str, second: str) -> int:
    return _sign(Decimal(first), Decimal(second))


def compare_instants(first: str, second: str) -> int:
    return _sign(instant(first), instant(second))


def compare_letters(text: str, other: str) -> int:
    """Compare by UTF-16 code units; spaces at the end do not count."""
    first, second = text.rstrip(" "), other.rstrip(" ")
    if first.isascii() and second.isascii():
        return _sign(first, second)
    return _sign(first.encode("utf-16-be"), second.encode("utf-16-be"))


def compare_words(text: str, other: str) -> int:
    """Compare without regard to case."""
    return _sign(text.rstrip(" ").casefold(), other.rstrip(" ").casefold())


def like(value: str | None, pattern: str | None, escape: str | None, binary: int) -> int | None:
    """LIKE, with sets in brackets."""
    if value is None or pattern is None:
        return None
    made, rest = "", iter(range(len(pattern)))
    for at in rest:
        letter = pattern[at]
        if escape and letter == escape and at + 1 < len(pattern):
            made += re.escape(pattern[next(rest)])
        elif letter == "[" and (end := pattern.find("]", at + 1)) > 0:
            inside = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            made += f"[{inside}]"
            for _ in range(end - at):
                next(rest)
        else:
            made += {"%": ".*", "_": "."}.get(letter, re.escape(letter))
    flags = re.DOTALL if binary else re.DOTALL | re.IGNORECASE
    return int(re.fullmatch(made, str(value), flags) is not None)
