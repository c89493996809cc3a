"""Nested answers as lines that people read."""

from collections.abc import Iterator, Mapping
from typing import Any

from instruments import cfi


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


def classification_rows(decoded: cfi.Decoded) -> list[dict[str, str]]:
    """What each letter of a CFI code says, in short."""
    named = [("category", decoded.category), ("group", decoded.group)]
    rows = [
        {"letter": x, "of": of, "meaning": one.name if one else "not in ISO 10962"}
        for x, (of, one) in zip(decoded.code, named, strict=False)
    ]
    for said in decoded.attributes:
        meaning = cfi.short(said.meaning) if said.meaning else "not in ISO 10962"
        rows.append({"letter": said.letter, "of": said.name.lower(), "meaning": meaning})
    return rows
