from collections.abc import Mapping
from typing import Any

from django import template

from instruments.listings.facts import flatten

register = template.Library()


@register.filter
def facts_of(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return (label, value) of a nested answer, with capitalized labels."""
    return [(label[:1].upper() + label[1:], fact) for label, fact in flatten(value)]
