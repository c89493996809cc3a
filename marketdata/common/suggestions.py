"""Errors about unknown names: the name that is probably meant, and the known names.

A few known names are listed. Of more, the error says where they are.
"""

import difflib
from collections.abc import Collection

API_DOCS = "/api/docs/"
MAX_LISTED = 20
_SIMILAR = 0.7  # of difflib: `as_of` is not meant for `has_figi`
# Names in other APIs or in answers, and ours for the same: the first one that is known is suggested.
_OTHER_NAMES = {
    **dict.fromkeys(("limit", "page_size", "pagesize", "size", "count"), ("per_page", "limit")),
    **dict.fromkeys(("offset", "skip", "start", "after"), ("cursor", "page", "since")),
    **dict.fromkeys(("search", "query", "name", "full_name", "text"), ("q", "full_name")),
    **dict.fromkeys(("sort", "sort_by", "order", "order_by", "orderby"), ("ordering",)),
    **dict.fromkeys(("expand", "embed", "with"), ("include",)),
    **dict.fromkeys(("select", "columns"), ("fields",)),
    **dict.fromkeys(("lei", "issuer_lei"), ("issuer", "lei")),
    **dict.fromkeys(("venue", "market", "exchange", "mic_code", "miccode"), ("mic",)),
    **dict.fromkeys(("since", "updated_since", "modified_since"), ("changed_since",)),
    **dict.fromkeys(("date", "day"), ("on", "as_of")),
    "cfi_code": ("cfi",),
    "notional_currency": ("currency",),
}


def describe_unknown(
    name: str, known: Collection[str], noun: str, *, listed_in: str = API_DOCS
) -> str:
    """Return the message for an unknown name. `noun` is in the singular."""
    advice = " ".join(filter(None, (suggest(name, known), list_known(known, noun, listed_in))))
    return f"Unknown {noun} {name[:100]!r}. {advice}"


def suggest(name: str, known: Collection[str]) -> str:
    """Return the question whether the known name was meant that is closest; "" if none is close."""
    by_lower = {text.lower(): text for text in known}
    lower = name[:100].lower()
    close = [other for other in _OTHER_NAMES.get(lower, ()) if other in known]
    close = close or difflib.get_close_matches(lower, by_lower, n=1, cutoff=_SIMILAR)
    close = close or sorted(text for text in by_lower if lower and text.startswith(lower))
    return f"Did you mean {by_lower[close[0]]!r}?" if close else ""


def list_known(known: Collection[str], noun: str, listed_in: str = API_DOCS) -> str:
    """Return the known names, or where many are listed, as a sentence."""
    if not known:
        return f"There is no {noun}."
    if len(known) > MAX_LISTED:
        return f"{listed_in} lists all {len(known)} {noun}s."
    return f"Known {noun}s: {', '.join(sorted(known))}."


def describe_choice(value: str, choices: Collection[object]) -> str:
    """Return the message for a value that is none of the choices."""
    names = _get_names(choices)
    hint = suggest(value, names) if len(names) > MAX_LISTED else ""
    return " ".join(filter(None, (f"{value!r} is not a valid choice.", hint, list_choices(names))))


def list_choices(choices: Collection[object]) -> str:
    """Return the choices, or where many are listed, as a sentence."""
    names = _get_names(choices)
    if len(names) > MAX_LISTED:
        return f"{API_DOCS} lists all {len(names)} choices."
    return f"Choose one of: {', '.join(names)}."


def _get_names(choices: Collection[object]) -> list[str]:
    return [str(choice) for choice in choices if choice not in ("", None)]
