"""Nested answers as lines that people read."""

from collections.abc import Iterator, Mapping
from typing import Any


def flatten(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """`{"debt": {"maturity_date": d}}` -> `("debt maturity date", d)`; what is absent is left out."""
    for name, part in value.items():
        label = f"{above} {name.replace('_', ' ')}".strip()
        if isinstance(part, Mapping):
            yield from flatten(part, label)
        elif isinstance(part, list):
            if part:
                yield label, " ".join(map(str, part))
        elif isinstance(part, bool):
            yield label, "yes" if part else "no"
        elif part is not None:
            yield label, part
