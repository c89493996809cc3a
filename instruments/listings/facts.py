"""Nested answers as lines that people read."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from instruments.classification import cfi


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


def term_rows(terms: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The terms of an instrument, as the API shows them, in lines.

    Underlyings are shown apart, and that a share or a bond is no commodity derivative is not said.
    """
    rows: list[tuple[str, str]] = []
    left_out = {"category", "as_of", "underlying"}
    if not terms["commodity_derivative"] and "commodity" not in terms:
        left_out.add("commodity_derivative")
    for name, value in terms.items():
        if name in left_out or value in (None, {}):
            continue
        label = name.replace("_", " ").capitalize()
        rows += _ROWS[name](value) if name in _ROWS else [(label, _line(value))]
    return rows


def _line(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, Mapping):
        return str(value)
    if "said" in value:
        return str(value["said"])
    if "amount" in value:
        return _amount(value["amount"], value["currency"])
    return f"{value['meaning']} ({value['code']})" if value["meaning"] else str(value["code"])


def _amount(number: str | None, unit: str | None) -> str:
    """`5000000000` and `EUR` -> `5,000,000,000 EUR`; the digits are those published."""
    return " ".join(part for part in (number and f"{Decimal(number):,f}", unit) if part)


def _distance(days: int) -> str:
    if days == 0:
        return "today"
    number = f"{abs(days):,} day{'' if abs(days) == 1 else 's'}"
    return f"in {number}" if days > 0 else f"{number} ago"


def _dated(label: str, of: Mapping[str, Any]) -> list[tuple[str, str]]:
    if of["date"] is None:
        return []
    if of["days"] is None:
        return [(label, f"no date (published as {of['date']})")]
    return [(label, f"{of['date']}, {_distance(of['days'])}")]


def _maturity(of: Mapping[str, Any]) -> list[tuple[str, str]]:
    known = {True: "yes", False: "no", None: "not said"}[of["perpetual"]]
    perpetual = [("Perpetual", f"{known}: {of['why']}")] if of["perpetual"] is not False else []
    return _dated("Maturity", of) + perpetual


def _expiry(of: Mapping[str, Any]) -> list[tuple[str, str]]:
    if of["open_ended"]:
        return [("Expiry", f"open-ended (published as {of['date']})")]
    return _dated("Expiry", of)


def _strike(of: Mapping[str, Any]) -> list[tuple[str, str]]:
    unit = {"amount": of["currency"], "percentage": "%"}.get(of["kind"], of["kind"])
    said = _amount(of["value"], unit) if of["value"] is not None else of["kind"]
    if of["value"] is None and of["currency"]:
        said = f"{said}, in {of['currency']}"
    return [("Strike price", said)]


def _commodity(of: Mapping[str, Any]) -> list[tuple[str, str]]:
    tree = [of[name] for name in ("base_product", "sub_product", "additional_sub_product")]
    product = " > ".join(_line(level) for level in tree if level)
    rows = [("Commodity", product or of["product"] or "")]
    more = ("transaction_type", "final_price_type")
    rows += [(name.replace("_", " ").capitalize(), of[name] and _line(of[name])) for name in more]
    return [(label, said) for label, said in rows if said]


def _foreign_exchange(of: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("Currency pair", of["pair"] or of["other_currency"])]
    rows.append(("Kind of currencies", of["type"] and _line(of["type"])))
    return [(label, said) for label, said in rows if said]


def _coupon(of: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("Floating rate" if of["floating"] else "Coupon", of["said"])]


def _other(of: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.replace("_", " ").capitalize(), value) for name, value in of.items()]


_ROWS: dict[str, Callable[[Any], list[tuple[str, str]]]] = {
    "maturity": _maturity,
    "coupon": _coupon,
    "expiry": _expiry,
    "strike": _strike,
    "commodity": _commodity,
    "foreign_exchange": _foreign_exchange,
    "other": _other,
}
