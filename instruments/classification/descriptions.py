"""CFI codes, and parts of the table of codes, as dictionaries of plain values.

This is the form in which the API and the commands present them. The OpenAPI schema documents the same
dictionaries with the serializers of `instruments.classification.api`.
"""

from typing import Any

from instruments.classification import cfi
from instruments.models import CfiCode
from marketdata.common.errors import InvalidQuery, NotInDatabase
from marketdata.common.plain import describe_columns

_PLACE = ("code", "name", "description")


def check_pattern(text: str) -> str:
    """Return a code, the start of one or a pattern as six letters and stars. Raises InvalidQuery."""
    try:
        return cfi.pattern_of(text)
    except cfi.BadCfi as problem:
        raise InvalidQuery("code", f"{problem}.") from None


def describe_categories() -> list[dict[str, Any]]:
    """Return the categories of ISO 10962 with their groups."""
    return [
        {
            **describe_columns(category, _PLACE),
            "groups": [
                describe_columns(group, ("code", "name")) for group in category.groups.values()
            ],
        }
        for category in cfi.categories().values()
    ]


def describe_pattern(pattern: str) -> dict[str, Any]:
    """Return a code, or the part of the table that a pattern of six letters and stars covers.

    Raises NotInDatabase for a pattern that matches no group.
    """
    category = cfi.categories().get(pattern[0])
    group = category.groups.get(pattern[:2]) if category else None
    matching = [g for code, g in cfi.groups().items() if cfi.matches(pattern, code)]
    is_code = cfi.ANY not in pattern
    if not matching and not is_code:
        raise NotInDatabase(f"ISO 10962 has no group that matches {pattern}.")
    return {
        "pattern": pattern,
        "category": _describe_place(category),
        "group": _describe_place(group),
        "groups": [_describe_place(g) for g in matching],
        "attributes": [
            {"position": a.position, "name": a.name, "values": dict(a.values)}
            for a in (group.attributes if group else ())
        ],
        "classification": describe_classification(cfi.decode(pattern)) if is_code else None,
        "valid_codes": cfi.count(pattern),
        "codes_in_use": list(CfiCode.objects.matching([pattern]).values_list("code", flat=True)),
    }


def describe_classification(decoded: cfi.Decoded) -> dict[str, Any]:
    """Return the meaning of a CFI code."""
    return {
        "code": decoded.code,
        "category": _describe_place(decoded.category),
        "group": _describe_place(decoded.group),
        "attributes": [
            {
                "position": attribute.position,
                "name": attribute.name,
                "letter": attribute.letter,
                "meaning": attribute.meaning,
                "edition": attribute.edition,
            }
            for attribute in decoded.attributes
        ],
        "valid": not decoded.problems,
        "edition": decoded.edition,
        "problems": [
            {
                "position": problem.position,
                "letter": problem.letter,
                "allowed": dict(problem.allowed),
            }
            for problem in decoded.problems
        ],
    }


def _describe_place(place: cfi.Category | cfi.Group | None) -> dict[str, str] | None:
    """Return a category or group of the table without what is below it."""
    return None if place is None else describe_columns(place, _PLACE)
