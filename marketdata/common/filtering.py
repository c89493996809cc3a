"""The filters of the API as options of commands: one definition, two ways to ask."""

from collections.abc import Mapping
from typing import Any

from django.core.management import CommandError, CommandParser
from django.db.models import QuerySet


def offer(parser: CommandParser, filterset_class: Any, *, leave_out: tuple[str, ...] = ()) -> None:
    """Add an option for each filter of a django-filter FilterSet."""
    for name, of in filterset_class.base_filters.items():
        if name not in leave_out:
            parser.add_argument(f"--{name}", help=str(of.label))


def wanted(filterset_class: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The filters that were given."""
    names = filterset_class.base_filters
    return {name: options[name] for name in names if options.get(name) is not None}


def filtered(
    filterset_class: Any, options: Mapping[str, Any], queryset: QuerySet[Any]
) -> QuerySet[Any]:
    """The rows that the options ask for; raises CommandError, which names the option."""
    filters = filterset_class(wanted(filterset_class, options), queryset)
    if not filters.is_valid():
        said = (f"--{name}: {' '.join(texts)}" for name, texts in filters.errors.items())
        raise CommandError("; ".join(said))
    found: QuerySet[Any] = filters.qs
    return found


def at_least_one(raw: str) -> int:
    """For `type=` of a --limit."""
    number = int(raw)
    if number < 1:
        raise ValueError(raw)
    return number
