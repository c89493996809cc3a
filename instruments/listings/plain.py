"""Groups of values, and codes with their meanings, as the terms of an instrument show them."""

from collections.abc import Mapping
from typing import Any


def none_if_empty(values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return a group of values; None if all of them are absent."""
    return values if any(value not in (None, []) for value in values.values()) else None


def describe_code(code: str | None, meanings: Mapping[str, str]) -> dict[str, str | None] | None:
    """Return a code of RTS 23 with its meaning, which is None for an unknown code; None without a code."""
    return None if code is None else {"code": code, "meaning": meanings.get(code)}
