"""Documentation of the terms of instruments: the dictionaries of `instruments.listings.categories`."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from instruments.api_fields import date, decimal, text
from instruments.listings.categories import TERMS_BY_CATEGORY
from instruments.listings.terms import Terms

_DAYS = "Days from `as_of` to the date, negative afterwards; null if the date is a placeholder"


class CodeSerializer(serializers.Serializer[Any]):
    """A code of RTS 23 with its meaning."""

    code = serializers.CharField()
    meaning = serializers.CharField(allow_null=True, help_text="null for an unknown code")


class AmountSerializer(serializers.Serializer[Any]):
    amount = decimal()
    currency = text()


class MaturityTerms(serializers.Serializer[Any]):
    date = date()
    days = serializers.IntegerField(allow_null=True, help_text=_DAYS)
    perpetual = serializers.BooleanField(
        allow_null=True, help_text="null if the published values leave it open or contradict"
    )
    reason = serializers.CharField(help_text="Explains the value of `perpetual`")


class ExpiryTerms(serializers.Serializer[Any]):
    date = serializers.DateField()
    days = serializers.IntegerField(allow_null=True, help_text=_DAYS)
    open_ended = serializers.BooleanField(
        help_text="True for 9999-12-31 and similar dates: no expiry date is defined (ESMA Q&A 5.5)"
    )


class TermOfRate(serializers.Serializer[Any]):
    value = decimal()
    unit = text(help_text="DAYS, WEEK, MNTH or YEAR")


class BenchmarkTerms(serializers.Serializer[Any]):
    """A floating rate."""

    description = serializers.CharField(
        help_text="The rate in one phrase, as EURIBOR 3 months + 45 basis points"
    )
    isin = text()
    index = text(help_text="Four-letter code, as EURI")
    name = text()
    term = TermOfRate(allow_null=True)
    spread_basis_points = decimal()


class CouponTerms(serializers.Serializer[Any]):
    description = serializers.CharField(help_text="The coupon in one phrase")
    floating = serializers.BooleanField(help_text="True if a floating rate is published")
    fixed_rate = decimal(help_text="Percent a year")
    benchmark = BenchmarkTerms(allow_null=True)


class LegTerms(serializers.Serializer[Any]):
    description = serializers.CharField(help_text="The leg in one phrase")
    currency = text()
    fixed_rate = decimal(help_text="Percent a year")
    benchmark = BenchmarkTerms(allow_null=True)


class StrikeTerms(serializers.Serializer[Any]):
    kind = serializers.CharField(
        help_text="amount, percentage, yield or basis points; pending or none, without a value"
    )
    value = decimal()
    currency = text(help_text="Currency of an amount, or of a pending one")
    sign = serializers.ChoiceField(
        choices=["plus", "minus"],
        allow_null=True,
        help_text="Published sign of an amount (Sgn). It is not applied to `value`",
    )


class IndexTerms(serializers.Serializer[Any]):
    description = serializers.CharField(allow_null=True, help_text="Name or code, with the term")
    isin = text()
    rate_isin = text()
    code = text()
    name = text()
    term_value = decimal()
    term_unit = text()


class UnderlyingTerms(serializers.Serializer[Any]):
    isin = text()
    lei = text(help_text="LEI of an issuer")
    index = IndexTerms(allow_null=True)
    basket = serializers.ListField(
        child=serializers.CharField(), help_text="ISINs and LEIs, in the published order"
    )


class CommodityTerms(serializers.Serializer[Any]):
    product = text(help_text="Branch of ESMA's product tree, as Nrgy/Elctrcty")
    base_product = CodeSerializer(allow_null=True)
    sub_product = CodeSerializer(allow_null=True)
    additional_sub_product = CodeSerializer(allow_null=True)
    transaction_type = CodeSerializer(allow_null=True)
    final_price_type = CodeSerializer(allow_null=True)


class ForeignExchangeTerms(serializers.Serializer[Any]):
    pair = text(help_text="The notional currency and the other one, as EUR/USD")
    type = CodeSerializer(allow_null=True)
    other_currency = text()


def _nullable(base: type[serializers.Serializer[Any]], **options: Any) -> Callable[[], Any]:
    return lambda: base(allow_null=True, read_only=True, **options)


# The documentation of each term of `instruments.listings.categories`.
_FIELDS: dict[str, Callable[[], Any]] = {
    "maturity": _nullable(MaturityTerms),
    "coupon": _nullable(CouponTerms),
    "seniority": _nullable(CodeSerializer),
    "total_issued_nominal": _nullable(AmountSerializer),
    "nominal_value_per_unit": _nullable(AmountSerializer),
    "expiry": _nullable(ExpiryTerms),
    "underlying": _nullable(UnderlyingTerms),
    "option_type": _nullable(CodeSerializer),
    "strike": _nullable(StrikeTerms),
    "exercise_style": _nullable(CodeSerializer),
    "price_multiplier": decimal,
    "delivery_type": _nullable(CodeSerializer),
    "commodity": _nullable(CommodityTerms),
    "foreign_exchange": _nullable(ForeignExchangeTerms),
    "reference_rate": _nullable(BenchmarkTerms, help_text="Of an interest-rate derivative"),
    "first_leg": _nullable(LegTerms),
    "other_leg": _nullable(LegTerms),
}


class TermsSerializer(serializers.Serializer[Terms]):
    """The terms that every category has."""

    category = serializers.CharField(help_text="CFI category, the first letter of the CFI code")
    as_of = serializers.DateField(help_text="The day that `days` are counted from")
    commodity_derivative = serializers.BooleanField(
        allow_null=True, help_text="The published flag (RTS 23 field 4)"
    )
    other = serializers.DictField(
        child=serializers.CharField(),
        help_text="Published values beyond the terms of this category, by column",
    )
    own: tuple[str, ...] = tuple(_FIELDS)
    fixed_category = ""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        if self.fixed_category:
            constant: Any = serializers.CharField(read_only=True)
            schema = {"type": "string", "const": self.fixed_category}
            fields["category"] = extend_schema_field(schema)(constant)
        last = {name: fields.pop(name) for name in ("commodity_derivative", "other")}
        return {**fields, **{name: _FIELDS[name]() for name in self.own}, **last}


# The name of the schema of each category; the others share AnyTerms.
_NAMES = {
    "C": "FundTerms",
    "E": "EquityTerms",
    "D": "DebtTerms",
    "R": "EntitlementTerms",
    "O": "OptionTerms",
    "H": "NonListedOptionTerms",
    "F": "FutureTerms",
    "S": "SwapTerms",
    "J": "ForwardTerms",
    "I": "SpotTerms",
}


class AnyTerms(TermsSerializer):
    """Every term: for the CFI categories K, L, M and T, and unknown ones."""


def _document(category: str, name: str) -> type[TermsSerializer]:
    attributes = {
        "__doc__": f"The terms of CFI category {category}.",
        "own": TERMS_BY_CATEGORY[category],
        "fixed_category": category,
    }
    return type(name, (TermsSerializer,), attributes)


SERIALIZERS: dict[str, Any] = {
    **{category: _document(category, name) for category, name in _NAMES.items()},
    **dict.fromkeys("KLMT", AnyTerms),
}
SCHEMA = PolymorphicProxySerializer("Terms", SERIALIZERS, "category", allow_null=False)
