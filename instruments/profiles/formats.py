"""Formats of values in output profiles: a name, the types of fields that it is for, and its function."""

import datetime as dt
import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

import pyarrow as pa

from marketdata.common.errors import InvalidQuery

Formatter = Callable[[Any], Any]
_DAYS = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "YYYYMMDD": "%Y%m%d",
    "DD.MM.YYYY": "%d.%m.%Y",
    "DD/MM/YYYY": "%d/%m/%Y",
    "MM/DD/YYYY": "%m/%d/%Y",
}
_FLAGS = {"Y/N": ("Y", "N"), "1/0": ("1", "0"), "true/false": ("true", "false")}
_CASES: dict[str, Formatter] = {"upper": str.upper, "lower": str.lower}
_PLACES = re.compile(r"0(?:\.(0{1,17}))?")
# What can be chosen for a type of field, as it is told in errors and in the documentation.
CHOICES = {
    "days": ", ".join(_DAYS),
    "times": f"{', '.join(_DAYS)} (the day in UTC), epoch (seconds since 1970)",
    "decimals": "0, 0.0, 0.00, ... (decimal places, rounded half to even)",
    "flags": ", ".join(_FLAGS),
    "texts": ", ".join(_CASES),
}


def get_formatter(format_: str, field: str, type_: pa.DataType) -> Formatter:
    """Return the function that formats values of a field, None excepted. Raises InvalidQuery."""
    kind, formatter = _find(format_, type_)
    if formatter is None:
        choices = CHOICES.get(kind)
        known = f"Choose one of: {choices}." if choices else "Whole numbers have no formats."
        message = f"{format_!r} is not a format of {kind}, as in {field}. {known}"
        raise InvalidQuery("columns", message)
    return formatter


def _find(format_: str, type_: pa.DataType) -> tuple[str, Formatter | None]:
    if pa.types.is_date(type_):
        return "days", _get_day_formatter(format_)
    if pa.types.is_timestamp(type_):
        return "times", _format_epoch if format_ == "epoch" else _get_day_formatter(format_)
    if pa.types.is_decimal(type_):
        return "decimals", _get_decimal_formatter(format_)
    if pa.types.is_boolean(type_):
        words = _FLAGS.get(format_)
        return "flags", (lambda value: words[0] if value else words[1]) if words else None
    if pa.types.is_string(type_):
        return "texts", _CASES.get(format_)
    return "whole numbers", None


def _format_epoch(moment: dt.datetime) -> str:
    return str(int(moment.timestamp()))


def _get_day_formatter(format_: str) -> Formatter | None:
    pattern = _DAYS.get(format_)
    if pattern is None:
        return None

    def format_day(value: dt.date) -> str:
        # strftime of years before 1000 has no zeros before them on Linux.
        return value.strftime(pattern.replace("%Y", f"{value.year:04}"))

    return format_day


def _get_decimal_formatter(format_: str) -> Formatter | None:
    match = _PLACES.fullmatch(format_)
    if match is None:
        return None
    unit = Decimal(1).scaleb(-len(match[1] or ""))

    def format_decimal(value: Decimal) -> str:
        with localcontext() as context:
            context.prec = 60
            return format(value.quantize(unit, rounding=ROUND_HALF_EVEN), "f")

    return format_decimal
