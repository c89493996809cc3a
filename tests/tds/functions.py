"""Functions of T-SQL that SQLite is given."""

import datetime
import json
import sqlite3
from decimal import Decimal
from typing import Any, cast

from tests.tds import values
from tests.tds.tokens import SqlError
from tests.tds.types import declared

_DAY = 86_400
_TICKS = {"hour": 3600, "minute": 60, "second": 1, "day": _DAY, "week": 7 * _DAY}


class Failures:
    """SQLite forgets which error a function raised: it is kept here."""

    def __init__(self) -> None:
        self.last: SqlError | None = None

    def keeping(self, function: Any) -> Any:
        def called(*given: Any) -> Any:
            try:
                return function(*given)
            except Exception as error:
                known = isinstance(error, SqlError)
                self.last = cast(SqlError, error) if known else SqlError(50000, repr(error))
                raise

        return called


def _cast(value: Any, to: str) -> Any:
    return values.converted(value, declared(to), cast=True)


def _convert(value: Any, to: str, style: int) -> Any:
    """CONVERT with one of the styles that a date is written in."""
    if value is not None and declared(to).is_text:
        styled = {112: str(value)[:10].replace("-", ""), 20: str(value)[:19], 120: str(value)[:19]}
        value = styled.get(style, value)
    return _cast(value, to)


def _concat(*given: Any) -> str:
    """NULL is nothing."""
    return "".join(_cast(value, "nvarchar(max)") for value in given if value is not None)


def _try_cast(value: Any, to: str) -> Any:
    try:
        return _cast(value, to)
    except SqlError:
        return None


def _put(value: Any, to: str, column: str) -> Any:
    return values.converted(value, declared(to), column)


def _dateadd(part: str, count: int | None, text: str | None) -> str | None:
    if count is None or text is None:
        return None
    if part in ("month", "year"):
        months = int(text[:4]) * 12 + int(text[5:7]) - 1 + count * (12 if part == "year" else 1)
        year, month = divmod(months, 12)
        last = (
            datetime.date(year + month // 11, (month + 1) % 12 + 1, 1) - datetime.timedelta(1)
        ).day
        return f"{year:04}-{month + 1:02}-{min(int(text[8:10]), last):02}{text[10:]}"
    try:
        moved = datetime.datetime.fromisoformat(text[:19]) + datetime.timedelta(
            seconds=count * _TICKS[part]
        )
    except OverflowError as error:
        raise SqlError(517, "Adding a value to a 'date' column caused an overflow.") from error
    return moved.isoformat(" ")[: len(text[:19])] + text[19:]


def _datediff(part: str, start: str | None, end: str | None) -> int | None:
    if start is None or end is None:
        return None
    first, second = (datetime.datetime.fromisoformat(text[:19]) for text in (start, end))
    if part == "day":
        return (second.date() - first.date()).days
    return int((second - first).total_seconds()) // _TICKS[part]


def _datepart(part: str, text: str | None) -> int | None:
    if text is None:
        return None
    at = datetime.datetime.fromisoformat(text[:19])
    return int(getattr(at, part))


def _charindex(sought: str | None, text: str | None, start: int = 1) -> int | None:
    """By the database's collation: without regard to case."""
    if sought is None or text is None:
        return None
    return text.casefold().find(sought.casefold(), start - 1) + 1


def _isjson(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(isinstance(json.loads(text), (dict, list)))
    except ValueError:
        return 0


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f0")


def _null_or(function: Any) -> Any:
    return lambda text, *rest: None if text is None else function(text, *rest)


class _Sum:
    def __init__(self) -> None:
        self.sum: Decimal | None = None

    def step(self, value: str | None) -> None:
        if value is not None:
            self.sum = (self.sum or Decimal(0)) + Decimal(value)

    def finalize(self) -> str | None:
        return None if self.sum is None else f"{self.sum:f}"


class _Average:
    def __init__(self) -> None:
        self.sum, self.count = 0, 0

    def step(self, value: int | None) -> None:
        if value is not None:
            self.sum, self.count = self.sum + value, self.count + 1

    def finalize(self) -> int | None:
        return int(self.sum / self.count) if self.count else None


def give(link: sqlite3.Connection, failures: Failures) -> None:
    """The functions that ask nothing of the session."""
    link.create_collation("CI", values.compare_words)
    link.create_collation("BIN2", values.compare_letters)
    link.create_collation("DEC", values.compare_decimals)
    link.create_collation("DTO", values.compare_instants)
    sure: dict[str, tuple[int, Any]] = {
        "ts_cast": (2, _cast),
        "ts_convert": (3, _convert),
        "ts_concat": (-1, _concat),
        "ts_try_cast": (2, _try_cast),
        "ts_put": (3, _put),
        "ts_like": (4, values.like),
        "ts_dateadd": (3, _dateadd),
        "ts_datediff": (3, _datediff),
        "ts_datepart": (2, _datepart),
        "ts_year": (1, lambda text: _datepart("year", text)),
        "ts_charindex": (-1, _charindex),
        "ts_isjson": (1, _isjson),
        "ts_len": (1, _null_or(lambda text: len(str(text).rstrip(" ")))),
        "ts_datalength": (1, _null_or(lambda value: len(value) * (1 if isinstance(value, bytes) else 2))),
        "ts_upper": (1, _null_or(str.upper)),
        "ts_lower": (1, _null_or(str.lower)),
        "ts_ltrim": (1, _null_or(lambda text: text.lstrip(" "))),
        "ts_rtrim": (1, _null_or(lambda text: text.rstrip(" "))),
        "ts_left": (2, _null_or(lambda text, count: text[:count])),
        "ts_right": (2, _null_or(lambda text, count: text[-count:] if count else "")),
        "ts_substring": (3, _null_or(lambda text, at, n: text[max(0, at - 1) : max(0, at - 1 + n)])),
        "ts_split": (2, _null_or(lambda text, by: json.dumps(text.split(by)))),
        "ts_quotename": (1, _null_or(lambda text: "[" + text.replace("]", "]]") + "]")),
    }  # fmt: skip
    for name, (count, function) in sure.items():
        link.create_function(name, count, failures.keeping(function), deterministic=True)
    for name in ("ts_sysdatetime", "ts_sysutcdatetime", "ts_getdate", "ts_getutcdate"):
        link.create_function(name, 0, _now)
    link.create_function("ts_sysdatetimeoffset", 0, lambda: f"{_now()} +00:00")
    link.create_aggregate("ts_sum_decimal", 1, _Sum)  # type: ignore[arg-type]
    link.create_aggregate("ts_avg_whole", 1, _Average)  # type: ignore[arg-type]
