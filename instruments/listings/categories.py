"""The terms of each CFI category, as dictionaries of plain values.

Each category has terms of its own, in the order in which people read them. Published values beyond
these are listed under `other`, so that nothing is hidden.
"""

from collections.abc import Callable, Mapping
from typing import Any

from instruments.listings import codes
from instruments.listings.codes import describe_code
from instruments.listings.rates import Benchmark, Leg, get_underlying_index
from instruments.listings.terms import Terms
from instruments.models import ListingRecord
from marketdata.common.plain import none_if_empty, to_plain


def describe_terms(terms: Terms) -> dict[str, Any]:
    """Return the terms of an instrument in the form of its category."""
    names = TERMS_BY_CATEGORY.get(terms.category, tuple(_TERMS))
    return {
        "category": terms.category,
        "as_of": to_plain(terms.as_of),
        **{name: _TERMS[name][0](terms) for name in names},
        "commodity_derivative": terms.record.commodity_derivative,
        "other": {
            column: str(to_plain(value))
            for column, term in _TERM_BY_COLUMN.items()
            if term not in names and (value := getattr(terms.record, column)) is not None
        },
    }


def _describe_maturity(terms: Terms) -> Mapping[str, Any] | None:
    maturity = terms.maturity
    if maturity is None:
        return None
    return {
        "date": to_plain(maturity.date),
        "days": maturity.days,
        "perpetual": maturity.perpetual,
        "reason": maturity.reason,
    }


def _describe_expiry(terms: Terms) -> Mapping[str, Any] | None:
    expiry = terms.expiry
    if expiry is None:
        return None
    return {
        "date": to_plain(expiry.date),
        "days": expiry.days,
        "open_ended": expiry.is_open_ended,
    }


def _describe_coupon(terms: Terms) -> Mapping[str, Any] | None:
    coupon = terms.coupon
    if coupon is None:
        return None
    return {
        "description": coupon.description,
        "floating": coupon.is_floating,
        "fixed_rate": to_plain(coupon.fixed_rate),
        "benchmark": _describe_benchmark(coupon.benchmark),
    }


def _describe_benchmark(benchmark: Benchmark | None) -> Mapping[str, Any] | None:
    if benchmark is None:
        return None
    return {
        "description": benchmark.description,
        "isin": benchmark.isin,
        "index": benchmark.index,
        "name": benchmark.name,
        "term": none_if_empty(
            {"value": to_plain(benchmark.term_value), "unit": benchmark.term_unit}
        ),
        "spread_basis_points": to_plain(benchmark.spread_basis_points),
    }


def _describe_leg(leg: Leg | None) -> Mapping[str, Any] | None:
    if leg is None:
        return None
    return {
        "description": leg.description,
        "currency": leg.currency,
        "fixed_rate": to_plain(leg.fixed_rate),
        "benchmark": _describe_benchmark(leg.benchmark),
    }


def _describe_strike(terms: Terms) -> Mapping[str, Any] | None:
    strike = terms.strike
    if strike is None:
        return None
    return {
        "kind": strike.kind,
        "value": to_plain(strike.value),
        "currency": strike.currency,
        "sign": strike.sign,
    }


def _describe_underlying(terms: Terms) -> Mapping[str, Any] | None:
    record = terms.record
    return none_if_empty(
        {
            "isin": record.underlying_isin,
            "lei": record.underlying_lei,
            "index": _describe_index(record),
            "basket": (record.underlying_basket or "").split(),
        }
    )


def _describe_index(record: ListingRecord) -> Mapping[str, Any] | None:
    index = get_underlying_index(record)
    if index is None:
        return None
    return {
        "description": index.description or None,
        "isin": record.underlying_index_isin,
        "rate_isin": record.underlying_index_rate_isin,
        "code": record.underlying_index_code,
        "name": record.underlying_index_name,
        "term_value": to_plain(record.underlying_index_term_value),
        "term_unit": record.underlying_index_term_unit,
    }


def _describe_commodity(terms: Terms) -> Mapping[str, Any] | None:
    record = terms.record
    return none_if_empty(
        {
            "product": record.commodity_product,
            "base_product": describe_code(record.commodity_base_product, codes.BASE_PRODUCT),
            "sub_product": describe_code(record.commodity_sub_product, codes.SUB_PRODUCT),
            "additional_sub_product": describe_code(
                record.commodity_additional_sub_product, codes.FURTHER_SUB_PRODUCT
            ),
            "transaction_type": describe_code(
                record.commodity_transaction_type, codes.TRANSACTION_TYPE
            ),
            "final_price_type": describe_code(
                record.commodity_final_price_type, codes.FINAL_PRICE_TYPE
            ),
        }
    )


def _describe_foreign_exchange(terms: Terms) -> Mapping[str, Any] | None:
    currencies = terms.foreign_exchange
    if currencies is None:
        return None
    return {
        "pair": currencies.pair,
        "type": describe_code(currencies.type, codes.FX_TYPE),
        "other_currency": currencies.other_currency,
    }


def _amount(column: str) -> Callable[[Terms], Any]:
    """An amount with its currency, of two columns of the record."""

    def describe(terms: Terms) -> Mapping[str, Any] | None:
        amount = to_plain(getattr(terms.record, column))
        currency = getattr(terms.record, f"{column}_currency")
        return none_if_empty({"amount": amount, "currency": currency})

    return describe


def _code(column: str, meanings: Mapping[str, str]) -> Callable[[Terms], Any]:
    return lambda terms: describe_code(getattr(terms.record, column), meanings)


# All terms: the function that describes each, and the prefixes of the columns that it shows.
_TERMS: dict[str, tuple[Callable[[Terms], Any], tuple[str, ...]]] = {
    "maturity": (_describe_maturity, ("maturity_",)),
    "coupon": (_describe_coupon, ("fixed_rate", "floating_rate_")),
    "seniority": (_code("seniority", codes.SENIORITY), ("seniority",)),
    "total_issued_nominal": (_amount("total_issued_nominal"), ("total_issued_nominal",)),
    "nominal_value_per_unit": (_amount("nominal_value_per_unit"), ("nominal_value_per_unit",)),
    "expiry": (_describe_expiry, ("expiry_",)),
    "underlying": (_describe_underlying, ("underlying_",)),
    "option_type": (_code("option_type", codes.OPTION_TYPE), ("option_type",)),
    "strike": (_describe_strike, ("strike_",)),
    "exercise_style": (_code("exercise_style", codes.EXERCISE_STYLE), ("exercise_style",)),
    "price_multiplier": (
        lambda terms: to_plain(terms.record.price_multiplier),
        ("price_multiplier",),
    ),
    "delivery_type": (_code("delivery_type", codes.DELIVERY_TYPE), ("delivery_type",)),
    "commodity": (
        _describe_commodity,
        ("commodity_p", "commodity_b", "commodity_s", "commodity_a", "commodity_t", "commodity_f"),
    ),
    "foreign_exchange": (_describe_foreign_exchange, ("fx_",)),
    "reference_rate": (
        lambda terms: _describe_benchmark(terms.reference_rate),
        ("interest_rate_",),
    ),
    "first_leg": (lambda terms: _describe_leg(terms.first_leg), ("first_leg_",)),
    "other_leg": (lambda terms: _describe_leg(terms.other_leg), ("other_leg_",)),
}
# The term that shows each column of a record, for those columns that are terms.
_TERM_BY_COLUMN = {
    field.name: term
    for field in ListingRecord._meta.fields
    for term, (_, prefixes) in _TERMS.items()
    if field.name.startswith(prefixes)
}

_DERIVATIVE = ("underlying", "price_multiplier", "delivery_type", "commodity")
_OPTION = ("expiry", "option_type", "strike", "exercise_style", *_DERIVATIVE)
_LISTED_OPTION = (*_OPTION, "foreign_exchange", "reference_rate")
# K, L, M and T, and categories that ISO 10962 does not have, show every term.
TERMS_BY_CATEGORY: dict[str, tuple[str, ...]] = {
    "C": (),
    "E": ("underlying",),
    "D": (
        *("maturity", "coupon", "seniority", "total_issued_nominal", "nominal_value_per_unit"),
        "underlying",
    ),
    "R": _OPTION,
    "O": _LISTED_OPTION,
    "H": (*_LISTED_OPTION, "first_leg", "other_leg"),
    "F": ("expiry", *_DERIVATIVE, "foreign_exchange", "reference_rate"),
    "S": ("expiry", "first_leg", "other_leg", "reference_rate", "foreign_exchange", *_DERIVATIVE),
    "J": ("expiry", "foreign_exchange", "reference_rate", *_DERIVATIVE),
    "I": ("foreign_exchange", "commodity", "delivery_type"),
    **dict.fromkeys("KLMT", tuple(_TERMS)),
}
