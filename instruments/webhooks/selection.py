"""The filter of a webhook: the changes that it is sent."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from instruments.classification import cfi
from instruments.isin import problem_of
from instruments.listings import changes
from instruments.listings.lookup import resolve_list
from instruments.models import Instrument, Register, WithdrawnListing
from marketdata.common.errors import InvalidQuery

MAX_CODES = 1_000
_MIC = re.compile("[A-Z0-9]{4}")


def _refuse_mic(code: str) -> str | None:
    return None if _MIC.fullmatch(code) else "not a MIC of four letters or digits"


def _refuse_others(choices: Collection[str]) -> Callable[[str], str | None]:
    return lambda text: None if text in choices else f"not one of {', '.join(sorted(choices))}"


# The reason against a value, by the name of a condition. Kinds are in lower case, all others in upper case.
_PROBLEMS: dict[str, Callable[[str], str | None]] = {
    "registers": _refuse_others(Register.values),
    "categories": _refuse_others(cfi.category_names()),
    "mics": _refuse_mic,
    "isins": problem_of,
    "kinds": _refuse_others(changes.KINDS),
}
CONDITIONS = tuple(_PROBLEMS)


def check(conditions: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return conditions as they are stored, without empty ones. Raises InvalidQuery."""
    checked = {}
    for name, values in conditions.items():
        codes = [
            value.strip().lower() if name == "kinds" else value.strip().upper() for value in values
        ]
        if len(codes) > MAX_CODES:
            raise InvalidQuery(name, f"At most {MAX_CODES:,} values; these are {len(codes):,}.")
        if name == "isins":
            codes = resolve_list(codes, "isins")
        for code in codes:
            if problem := _PROBLEMS[name](code):
                raise InvalidQuery(name, f"{code[:50]!r}: {problem}.")
        if codes:
            checked[name] = list(dict.fromkeys(codes))
    return checked


def select(
    rows: Sequence[dict[str, Any]], conditions: dict[str, list[str]]
) -> list[dict[str, Any]]:
    """Return the changes that meet all conditions. At most two queries for categories."""
    properties = {"registers": "register", "mics": "mic", "isins": "isin", "kinds": "kind"}
    for name, key in properties.items():
        if name in conditions:
            values = set(conditions[name])
            rows = [row for row in rows if row[key] in values]
    if "categories" in conditions and rows:
        codes = _get_cfi_codes(rows)
        categories = set(conditions["categories"])
        rows = [row for row in rows if codes.get(row["isin"], "")[:1] in categories]
    return list(rows)


def _get_cfi_codes(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the CFI codes of instruments by ISIN; of one that is no longer there, its last one."""
    isins = {row["isin"] for row in rows}
    codes = dict(Instrument.objects.filter(pk__in=isins).values_list("pk", "cfi_code"))
    if gone := isins - codes.keys():
        withdrawn = WithdrawnListing.objects.filter(isin__in=gone).order_by("listing_id")
        codes |= {isin: code or "" for isin, code in withdrawn.values_list("isin", "cfi_code")}
    return codes
