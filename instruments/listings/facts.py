"""Nested answers as lines of text, for pages and tables of commands."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from instruments.classification import cfi
from marketdata.common.fields import exact_text
from marketdata.common.numbers import format_count
from marketdata.common.plain import to_plain


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (label, value) of nested values; absent values are left out.

    `{"debt": {"maturity_date": d}}` gives `("debt maturity date", d)`.
    """
    for name, value in values.items():
        label = f"{prefix} {name.replace('_', ' ')}".strip()
        if isinstance(value, Mapping):
            yield from flatten(value, label)
        elif isinstance(value, list):
            if value:
                yield label, " ".join(map(str, value))
        elif isinstance(value, bool):
            yield label, "yes" if value else "no"
        elif value is not None:
            yield label, value


def format_value(value: Any) -> Any:
    """Return a value for a cell of a table: `yes`, `5,000,000`, `2014-01-14 09:00`, "" for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{Decimal(exact_text(value)):,f}"
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return to_plain(value)


def classification_rows(decoded: cfi.Decoded) -> list[dict[str, str]]:
    """Return one row for each letter of a CFI code, with its short meaning."""
    unknown = "not in ISO 10962"
    places = [("category", decoded.category), ("group", decoded.group)]
    rows = [
        {"letter": letter, "label": label, "meaning": place.name if place else unknown}
        for letter, (label, place) in zip(decoded.code, places, strict=False)
    ]
    for attribute in decoded.attributes:
        meaning = cfi.short(attribute.meaning) if attribute.meaning else unknown
        if attribute.edition not in (None, cfi.EDITION):
            meaning = f"{meaning} (ISO 10962:{attribute.edition})"
        label = attribute.name.lower()
        rows.append({"letter": attribute.letter, "label": label, "meaning": meaning})
    return rows


def term_rows(terms: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (label, text) of the terms of an instrument, from the dictionary of `describe_terms`.

    Underlyings are left out, because pages show them separately. That an instrument is no commodity
    derivative is left out where that is no question, as for a share or a bond.
    """
    rows: list[tuple[str, str]] = []
    hidden = {"category", "as_of", "underlying"}
    if not terms.get("commodity_derivative") and "commodity" not in terms:
        hidden.add("commodity_derivative")
    for name, value in terms.items():
        if name in hidden or value in (None, {}):
            continue
        label = name.replace("_", " ").capitalize()
        rows += _ROWS[name](value) if name in _ROWS else [(label, _format(value))]
    return rows


def _format(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, Mapping):
        return str(value)
    if "description" in value:
        return str(value["description"])
    if "amount" in value:
        return _format_amount(value["amount"], value["currency"])
    return f"{value['meaning']} ({value['code']})" if value["meaning"] else str(value["code"])


def _format_amount(number: str | None, unit: str | None) -> str:
    """Return `5,000,000,000 EUR` for `5000000000` and `EUR`, with all published digits."""
    return " ".join(part for part in (number and f"{Decimal(number):,f}", unit) if part)


def _format_distance(days: int) -> str:
    if days == 0:
        return "today"
    number = format_count(abs(days), "day")
    return f"in {number}" if days > 0 else f"{number} ago"


def _date_rows(label: str, value: Mapping[str, Any]) -> list[tuple[str, str]]:
    if value["date"] is None:
        return []
    if value["days"] is None:
        return [(label, f"no date (published as {value['date']})")]
    return [(label, f"{value['date']}, {_format_distance(value['days'])}")]


def _maturity_rows(maturity: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = _date_rows("Maturity", maturity)
    if maturity["perpetual"] is not False:
        answer = "yes" if maturity["perpetual"] else "not published"
        rows.append(("Perpetual", f"{answer}. {maturity['reason']}"))
    return rows


def _expiry_rows(expiry: Mapping[str, Any]) -> list[tuple[str, str]]:
    if expiry["open_ended"]:
        return [("Expiry", f"open-ended (published as {expiry['date']})")]
    return _date_rows("Expiry", expiry)


def _strike_rows(strike: Mapping[str, Any]) -> list[tuple[str, str]]:
    unit = {"amount": strike["currency"], "percentage": "%"}.get(strike["kind"], strike["kind"])
    if strike["value"] is None:
        text = strike["kind"]
        if strike["currency"]:
            text = f"{text}, in {strike['currency']}"
    else:
        text = _format_amount(strike["value"], unit)
    if strike["sign"]:
        text = f"{text} (published sign: {strike['sign']})"
    return [("Strike price", text)]


def _commodity_rows(commodity: Mapping[str, Any]) -> list[tuple[str, str]]:
    levels = [commodity[name] for name in ("base_product", "sub_product", "additional_sub_product")]
    product = " > ".join(_format(level) for level in levels if level)
    rows = [("Commodity", product or commodity["product"] or "")]
    for name in ("transaction_type", "final_price_type"):
        text = _format(commodity[name]) if commodity[name] else ""
        rows.append((name.replace("_", " ").capitalize(), text))
    return [(label, text) for label, text in rows if text]


def _foreign_exchange_rows(currencies: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("Currency pair", currencies["pair"] or currencies["other_currency"])]
    rows.append(("Kind of currencies", currencies["type"] and _format(currencies["type"])))
    return [(label, text) for label, text in rows if text]


def _coupon_rows(coupon: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("Floating rate" if coupon["floating"] else "Coupon", coupon["description"])]


def _other_rows(values: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.replace("_", " ").capitalize(), value) for name, value in values.items()]


_ROWS: dict[str, Callable[[Any], list[tuple[str, str]]]] = {
    "maturity": _maturity_rows,
    "coupon": _coupon_rows,
    "expiry": _expiry_rows,
    "strike": _strike_rows,
    "commodity": _commodity_rows,
    "foreign_exchange": _foreign_exchange_rows,
    "other": _other_rows,
}
