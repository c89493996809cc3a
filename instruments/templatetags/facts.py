from collections.abc import Mapping
from typing import Any

from django import template

from instruments.listings.facts import flatten

register = template.Library()


@register.filter
def facts_of(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The facts of a nested answer, the first letter of each name a capital."""
    return [(name[:1].upper() + name[1:], fact) for name, fact in flatten(value)]
