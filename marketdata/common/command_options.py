"""Filters of the API as options of commands, so that each filter is defined once."""

import argparse
import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.core.management import CommandError, CommandParser
from django.db.models import QuerySet

from marketdata.common.errors import InvalidQuery
from marketdata.common.filters import get_messages


def add_filter_options(
    parser: CommandParser, filterset_class: Any, *, exclude: tuple[str, ...] = ()
) -> None:
    """Add an option to a command for each filter of a django-filter FilterSet."""
    for name, filter_ in filterset_class.base_filters.items():
        if name not in exclude:
            parser.add_argument(f"--{name}", help=str(filter_.label))


def get_filter_values(filterset_class: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters that a user gave as options, with their values."""
    names = filterset_class.base_filters
    return {name: options[name] for name in names if options.get(name) is not None}


def filter_queryset(
    filterset_class: Any, options: Mapping[str, Any], queryset: QuerySet[Any]
) -> QuerySet[Any]:
    """Return the rows that match the options. Raises CommandError, which names the invalid option."""
    filterset = filterset_class(get_filter_values(filterset_class, options), queryset)
    if messages := get_messages(filterset):
        raise CommandError("; ".join(f"--{name}: {' '.join(m)}" for name, m in messages.items()))
    try:
        rows: QuerySet[Any] = filterset.qs
    except InvalidQuery as error:
        raise CommandError(f"--{error.parameter}: {error}") from error
    return rows


def add_limit(parser: argparse.ArgumentParser, *, default: int) -> None:
    """Add the option --limit, the greatest number of rows of a list."""
    parser.add_argument(
        "--limit", type=positive_integer, default=default, help=f"rows at most (default: {default})"
    )


def day(text: str) -> dt.date:
    """Return a day in ISO 8601; for `type=` of an option such as --on."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid day, such as 2025-08-30"
        ) from None


def positive_integer(text: str) -> int:
    """Return a number of 1 or more; for `type=` of an option such as --limit."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number
