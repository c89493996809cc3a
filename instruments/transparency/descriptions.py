"""Transparency results and answers as dictionaries of plain values.

This is the form in which the API and the commands present them. The OpenAPI schema documents the same
dictionaries with the serializers of `instruments.transparency.api`.
"""

import datetime as dt
from typing import Any

from instruments.models import SubclassTransparency, TransparencyResult
from instruments.published_results.models import describe_period
from instruments.transparency.applicable import (
    Applicable,
    DatedResult,
    application_period_of,
)
from instruments.transparency.application_periods import ApplicationPeriod
from instruments.transparency.fields import THRESHOLDS
from instruments.transparency.models import ResultRecord
from instruments.transparency.questions import InstrumentTransparency
from marketdata.common.plain import describe_columns, none_if_empty, to_plain

MARKET_SIZE = (
    *("average_daily_turnover", "average_daily_turnover_currency"),
    *("average_transaction_value", "average_transaction_value_currency"),
    *("large_in_scale", "standard_market_size", "average_daily_transactions", "trading_days"),
    *("relevant_market", "relevant_market_daily_transactions"),
)
_TURNOVER = ("first_day", "last_day", "methodology", "transactions", "volume", "overlaps")


def describe_transparency(answer: InstrumentTransparency) -> dict[str, Any]:
    """Return the results of an instrument, and those that apply on a day."""
    first_trade = answer.first_trade
    return {
        **describe_columns(answer, ("isin", "on", "known_on")),
        "register": str(answer.register),
        "other_registers": answer.other_registers,
        "applies": {
            respect: _describe_applicable(applicable, first_trade)
            for respect, applicable in answer.applies.items()
        },
        "turnover": [describe_columns(turnover, _TURNOVER) for turnover in answer.turnover],
        "results": [describe_result(result, first_trade) for result in answer.results],
    }


def describe_result(
    result: TransparencyResult, first_trade: dt.date | None = None
) -> dict[str, Any]:
    """Return a result for one ISIN. `first_trade` is the first day of trading, if it is known."""
    return {
        "isin": result.isin,
        "methodology": result.methodology,
        "application_period": describe_period(result.application_period),
        "market_size": none_if_empty(describe_columns(result, MARKET_SIZE)),
        **_describe_record(result, first_trade),
    }


def describe_subclass_result(result: SubclassTransparency) -> dict[str, Any]:
    """Return a result for one sub-class of non-equity instruments."""
    return {"asset_class": result.asset_class, **_describe_record(result, None)}


def _describe_record(result: ResultRecord, first_trade: dt.date | None) -> dict[str, Any]:
    """Return what results by ISIN and by sub-class share."""
    return {
        **describe_columns(result, ("classification", "subject")),
        "reporting_period": describe_period(result.reporting_period),
        "applies": _describe_application(application_period_of(result, first_trade)),
        "liquid": result.liquid,
        "thresholds": none_if_empty({name: _describe_size(result, name) for name in THRESHOLDS}),
        **describe_columns(result, ("total_transactions", "total_volume", "sub_class")),
        "criteria": [{"name": name, "value": value} for name, value in result.criteria or []],
        **describe_columns(result, ("full_name", "trading_venue", "superseded", "register")),
        **describe_columns(result, ("record_kind", "technical_record_id")),
        "source_file": result.source_file.name,
        "source_position": result.source_position,
        "published_on": to_plain(result.source_file.published_on),
    }


def _describe_application(period: ApplicationPeriod | None) -> dict[str, Any] | None:
    if period is None:
        return None
    return {
        "first_day": to_plain(period.first),
        "last_day": to_plain(period.last),
        "rule": period.rule.code,
    }


def _describe_size(result: ResultRecord, name: str) -> Any:
    """Return a threshold: an amount with its currency, or a number of units."""
    columns = {"amount": name, "currency": f"{name}_currency", "number": f"{name}_number"}
    return none_if_empty({key: to_plain(getattr(result, col)) for key, col in columns.items()})


def _describe_applicable(applicable: Applicable, first_trade: dt.date | None) -> dict[str, Any]:
    """Return the result that applies in one respect, and why."""
    only = applicable.only
    source_file = only and only.result.source_file
    return {
        "why": applicable.why,
        "rule": only and only.period.rule.code,
        "applies_from": only and to_plain(only.period.first),
        "applies_to": only and to_plain(only.period.last),
        "source_file": source_file and source_file.name,
        "published_on": source_file and to_plain(source_file.published_on),
        "result": only and describe_result(only.result, first_trade),
        "conflict": [_describe_dated(dated, first_trade) for dated in applicable.conflict],
    }


def _describe_dated(dated: DatedResult, first_trade: dt.date | None) -> dict[str, Any]:
    return {
        "applies_from": to_plain(dated.period.first),
        "applies_to": to_plain(dated.period.last),
        "result": describe_result(dated.result, first_trade),
    }
