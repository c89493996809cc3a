"""Results as lines of text for pages: thresholds with their currency, and figures with separators."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.html import format_html

_THRESHOLDS = {
    "pre_trade_lis": "Pre-trade large in scale",
    "post_trade_lis": "Post-trade large in scale",
    "pre_trade_ssti": "Pre-trade size specific to the instrument",
    "post_trade_ssti": "Post-trade size specific to the instrument",
}
_MARKET_SIZE = {
    "average_daily_turnover": "Average daily turnover",
    "average_transaction_value": "Average value of a transaction",
    "large_in_scale": "Large in scale",
    "standard_market_size": "Standard market size",
    "average_daily_transactions": "Average daily transactions",
    "trading_days": "Trading days",
}
_IN_EUR = {"large_in_scale", "standard_market_size"}  # RTS 1 gives them in EUR


def result_rows(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (label, text) of a result described by `describe_result`, or of some of its fields.

    What is not published is left out.
    """
    rows: list[tuple[str, str]] = []
    if fields.get("liquid") is not None:
        rows.append(("Liquid", "yes" if fields["liquid"] else "no"))
    for name, size in (fields.get("thresholds") or {}).items():
        if size:
            text = _format(size["amount"] or size["number"], size["currency"] or "units")
            rows.append((_THRESHOLDS[name], text))
    rows += _market_size_rows(fields.get("market_size") or {})
    for name, label in (("methodology", "Methodology"), ("sub_class", "Sub-class")):
        if fields.get(name):
            rows.append((label, fields[name]))
    return rows


def _market_size_rows(size: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [
        (label, _format(size[name], size.get(f"{name}_currency") or ("EUR" * (name in _IN_EUR))))
        for name, label in _MARKET_SIZE.items()
        if size.get(name) is not None
    ]
    if mic := size.get("relevant_market"):
        link = format_html('<a class="code" href="{}">{}</a>', reverse("venue", args=[mic]), mic)
        rows.append(("Most relevant market", link))
    if (number := size.get("relevant_market_daily_transactions")) is not None:
        rows.append(("Average daily transactions there", _format(number)))
    return rows


def _format(number: str, unit: str = "") -> str:
    return f"{Decimal(number):,f} {unit}".rstrip()
