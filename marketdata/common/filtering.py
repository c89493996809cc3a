"""Filters of the API as options of commands, so that each filter is defined once."""

import functools
from collections.abc import Collection, Mapping
from typing import Any

from django.core.management import CommandError, CommandParser
from django.db.models import QuerySet

_MAX_CHOICES = 40


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
    rows: QuerySet[Any] = filterset.qs
    return rows


@functools.lru_cache(maxsize=1_000)
def narrow(filterset_class: Any, names: frozenset[str]) -> Any:
    """Return the filter set with these filters alone: a form of twenty fields takes a millisecond to build.

    No filter may depend on another one that was not given.
    """
    omitted = dict.fromkeys(set(filterset_class.base_filters) - names)
    return (
        type(filterset_class.__name__, (filterset_class,), omitted) if omitted else filterset_class
    )


def get_messages(filterset: Any) -> dict[str, list[str]]:
    """Return the validation errors of a filter set by filter; for an invalid choice with all choices."""
    messages: dict[str, list[str]] = {}
    for name, errors in filterset.errors.as_data().items():
        messages[name] = []
        choices = getattr(filterset.form.fields.get(name), "choices", None)
        for error in errors:
            if error.code == "invalid_choice" and choices is not None:
                value = (error.params or {}).get("value", "")
                allowed = describe_choices([choice for choice, label in choices])
                messages[name].append(f"{value!r} is not a valid choice. Choose one of: {allowed}.")
            else:
                messages[name] += error.messages
    return messages


def describe_choices(choices: Collection[Any]) -> str:
    """Return the choices as a comma-separated list, cut after 40."""
    names = [str(choice) for choice in choices if choice not in ("", None)]
    more = f", and {len(names) - _MAX_CHOICES} more" if len(names) > _MAX_CHOICES else ""
    return ", ".join(names[:_MAX_CHOICES]) + more


def positive_integer(text: str) -> int:
    """Return a number of 1 or more; for `type=` of an option such as --limit."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number
