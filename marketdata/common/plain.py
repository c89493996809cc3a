"""Plain values: the form in which the API, the commands and the pages show values.

Plain values can be written as JSON: texts, integers, booleans, None, and dictionaries and lists of
them. Decimals are texts with the published digits, because most readers of JSON turn numbers into
floats. Days and times are in ISO 8601.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
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


def describe_columns(record: object, names: Iterable[str]) -> dict[str, Any]:
    """Return the named attributes of a record as plain values, by name."""
    return {name: to_plain(getattr(record, name)) for name in names}


def none_if_empty(values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return a group of values; None if all of them are absent."""
    return values if any(value not in (None, []) for value in values.values()) else None
