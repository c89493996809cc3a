from collections.abc import Mapping
from typing import Any

from django import template

from instruments.listings.facts import flatten
from instruments.listings.hints import HINTS
from marketdata.common.labels import capitalize, label_field

register = template.Library()


@register.filter
def facts_of(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return (label, value) of a nested answer, with capitalized labels."""
    return [(capitalize(label), fact) for label, fact in flatten(value)]


@register.filter
def words(code: str) -> str:
    """Return a code of ours in words: `newest_record` gives `newest record`."""
    return code.replace("_", " ")


@register.filter
def label(column: str) -> str:
    """Return the words of pages for a field of the API."""
    return label_field(column)


@register.filter
def hint(label: str) -> str:
    """Return the explanation of a term; "" for what explains itself."""
    return HINTS.get(label, "")
