"""Plain values: the form in which the API, the commands and the pages show values.

Plain values can be written as JSON: texts, integers, booleans, None, and dictionaries and lists of
them. Decimals are texts with the published digits, because most readers of JSON turn numbers into
floats. Days and times are in ISO 8601.
"""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def to_plain(value: Any) -> Any:
    """Return a value of a record as a plain value."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    return value


def none_if_empty(values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return a group of values; None if all of them are absent."""
    return values if any(value not in (None, []) for value in values.values()) else None


def describe_code(code: str | None, meanings: Mapping[str, str]) -> dict[str, str | None] | None:
    """Return a code of RTS 23 with its meaning, which is None for an unknown code; None without a code."""
    return None if code is None else {"code": code, "meaning": meanings.get(code)}
