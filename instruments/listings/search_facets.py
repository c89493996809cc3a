"""The facets beside a list of instruments: each value, its number and the address that narrows the list."""

from collections.abc import Iterable
from typing import Any

from django.http import QueryDict

from instruments.classification import cfi
from instruments.listings import facets
from instruments.models import LegalEntity, Register, Status, Venue
from instruments.served_values import serve_name, serve_venue

LABELS = {
    "category": "Category",
    "cfi": "CFI code",
    "status": "Published status",
    "currency": "Currency",
    "register": "Register",
    "mic_exact": "Venue",
    "issuer": "Issuer",
}
MAX_VALUES = 8  # shown; the others are summed up


def describe(matching: Any, parameters: dict[str, str], query: QueryDict) -> list[dict[str, Any]]:
    """Return the facets that tell instruments apart, with the address of the list of each value.

    A facet that is a filter already has the address of the list without it. One of the CFI code then has its
    next letter too, until all six are chosen. Two queries for the names, beside those that count.
    """
    filters = {name: value for name, value in parameters.items() if name != "ordering"}
    counted = facets.count(list(LABELS), matching, filters)
    values = {
        name: [value for value, _ in facet.values[:MAX_VALUES]] for name, facet in counted.items()
    }
    values["cfi"].append(parameters.get("cfi", "").upper())
    names = _read_names(values)
    return [
        _describe_facet(name, facet, parameters.get(name, ""), names[name], query)
        for name, facet in counted.items()
        if len(facet.values) > 1 or parameters.get(name)
    ]


def _describe_facet(
    name: str, facet: facets.Facet, chosen: str, names: dict[str, str], query: QueryDict
) -> dict[str, Any]:
    """Return a facet as the page shows it: its values, or only the one that is `chosen`."""
    values = facet.values[:MAX_VALUES]
    others = sum(number for _, number in facet.values[MAX_VALUES:]) + facet.others
    if chosen and not (name == "cfi" and _has_more_letters(chosen)):
        values, others = [], 0
    return {
        "label": LABELS[name],
        "rows": [
            (
                names.get(value, value) or "none published",
                number,
                _get_address(query, name, value) if value else "",
            )
            for value, number in values
        ],
        "others": others,
        "chosen": names.get(chosen.upper(), chosen.upper()) if chosen else "",
        "without": _get_address(query, name, "") if chosen else "",
        "is_exact": facet.is_exact,
    }


def _has_more_letters(code: str) -> bool:
    return len(code) < cfi.LENGTH and cfi.ANY not in code


def _get_address(query: QueryDict, name: str, value: str) -> str:
    """Return the address of the list with another value of a filter; without the filter for ""."""
    address = query.copy()
    address.pop(name, None)
    if value:
        address[name] = value
    return f"?{address.urlencode()}"


def _read_names(values: dict[str, list[str]]) -> dict[str, dict[str, str]]:
    """Return what is shown for the values of each facet. Two queries."""
    venues = Venue.objects.filter(mic__in=values["mic_exact"]).values_list("mic", serve_venue())
    issuers = LegalEntity.objects.filter(lei__in=values["issuer"]).values_list("lei", serve_name())
    return {
        "category": cfi.category_names(),
        "cfi": _name_stems(values["cfi"]),
        "status": {value: str(label) for value, label in Status.choices},
        "currency": {},
        "register": {value: str(label) for value, label in Register.choices},
        "mic_exact": {mic: f"{mic} {name}" for mic, name in venues},
        "issuer": dict(issuers),
    }


def _name_stems(stems: Iterable[str]) -> dict[str, str]:
    """Return beginnings of CFI codes with the meaning of their last letter, where it has one."""
    names = {}
    for stem in stems:
        group = cfi.groups().get(stem[:2])
        meaning = None
        if group is not None and len(stem) == len(group.code):
            meaning = group.name
        elif group is not None:
            meaning, _ = group.attributes[len(stem) - 3].meaning_of(stem[-1])
        names[stem] = f"{stem} {cfi.short(meaning)}" if meaning else stem
    return names
