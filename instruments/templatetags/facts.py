from collections.abc import Mapping
from typing import Any

from django import template

from instruments.listings.facts import flatten

register = template.Library()

_ABBREVIATIONS = ("lei", "mic", "isin", "cfi", "figi", "id", "lou", "md5", "url")


@register.filter
def facts_of(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return (label, value) of a nested answer, with capitalized labels."""
    return [(_capitalize(label), fact) for label, fact in flatten(value)]


def _capitalize(label: str) -> str:
    words = " ".join(word.upper() if word in _ABBREVIATIONS else word for word in label.split())
    return words[:1].upper() + words[1:]
