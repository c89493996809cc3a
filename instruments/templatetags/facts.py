from collections.abc import Mapping
from typing import Any

from django import template

from instruments.listings.facts import capitalize, flatten

register = template.Library()


@register.filter
def facts_of(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return (label, value) of a nested answer, with capitalized labels."""
    return [(capitalize(label), fact) for label, fact in flatten(value)]
