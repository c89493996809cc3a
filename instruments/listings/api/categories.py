"""The terms of each category of instruments: its own, in the order in which people read them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from instruments.api_fields import Section, decimal
from instruments.listings import codes
from instruments.listings.api.terms import (
    BenchmarkTerms,
    CommodityTerms,
    CouponTerms,
    ExpiryTerms,
    ForeignExchangeTerms,
    LegTerms,
    MaturityTerms,
    NominalValuePerUnit,
    StrikeTerms,
    TotalIssuedNominal,
    UnderlyingTerms,
    coded,
)
from instruments.listings.terms import Terms
from instruments.models import ListingRecord


def _of_record(base: type[Section]) -> Any:
    return base(source="record", allow_null=True, read_only=True)


def _derived(base: type[serializers.Serializer[Any]], **options: Any) -> Any:
    return base(allow_null=True, read_only=True, **options)


# Every term there is: how it is shown, and the beginnings of the columns that it shows.
_TERMS: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "maturity": (lambda: _derived(MaturityTerms), ("maturity_",)),
    "coupon": (lambda: _derived(CouponTerms), ("fixed_rate", "floating_rate_")),
    "seniority": (lambda: coded("record.seniority", codes.SENIORITY), ("seniority",)),
    "total_issued_nominal": (
        lambda: _of_record(TotalIssuedNominal),
        ("total_issued_nominal",),
    ),
    "nominal_value_per_unit": (
        lambda: _of_record(NominalValuePerUnit),
        ("nominal_value_per_unit",),
    ),
    "expiry": (lambda: _derived(ExpiryTerms), ("expiry_",)),
    "underlying": (lambda: _of_record(UnderlyingTerms), ("underlying_",)),
    "option_type": (
        lambda: coded("record.option_type", codes.OPTION_TYPE),
        ("option_type",),
    ),
    "strike": (lambda: _derived(StrikeTerms), ("strike_",)),
    "exercise_style": (
        lambda: coded("record.exercise_style", codes.EXERCISE_STYLE),
        ("exercise_style",),
    ),
    "price_multiplier": (lambda: decimal("record.price_multiplier"), ("price_multiplier",)),
    "delivery_type": (
        lambda: coded("record.delivery_type", codes.DELIVERY_TYPE),
        ("delivery_type",),
    ),
    "commodity": (
        lambda: _of_record(CommodityTerms),
        ("commodity_p", "commodity_b", "commodity_s", "commodity_a", "commodity_t", "commodity_f"),
    ),
    "foreign_exchange": (lambda: _derived(ForeignExchangeTerms), ("fx_",)),
    "reference_rate": (
        lambda: _derived(BenchmarkTerms, help_text="of an interest-rate derivative"),
        ("interest_rate_",),
    ),
    "first_leg": (lambda: _derived(LegTerms), ("first_leg_",)),
    "other_leg": (lambda: _derived(LegTerms), ("other_leg_",)),
}
_COLUMNS = {
    field.name: next(
        (term for term, (_, starts) in _TERMS.items() if field.name.startswith(starts)), ""
    )
    for field in ListingRecord._meta.fields
}


def _letter(letter: str) -> Any:
    """A category that can be no other, so that the schema tells the terms apart."""
    field: Any = serializers.CharField(read_only=True)
    return extend_schema_field({"type": "string", "const": letter})(field)


class TermsSerializer(serializers.Serializer[Terms]):
    """What the terms of every category have."""

    category = serializers.CharField(help_text="CFI category, the first letter of the CFI code")
    as_of = serializers.DateField(help_text="the day that `days` are counted from")
    commodity_derivative = serializers.BooleanField(
        source="record.commodity_derivative", allow_null=True, help_text="what the flag says"
    )
    other = serializers.SerializerMethodField(
        help_text="what is published beyond the terms of this category, by name of the field of RTS 23"
    )
    letter = ""  # of the category, where there is one
    own: tuple[str, ...] = ()

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        if self.letter:
            fields["category"] = _letter(self.letter)
        last = {name: fields.pop(name) for name in ("commodity_derivative", "other")}
        return {**fields, **{name: _TERMS[name][0]() for name in self.own}, **last}

    def get_other(self, terms: Terms) -> dict[str, str]:
        columns = (name for name, term in _COLUMNS.items() if term and term not in self.own)
        values = {name: getattr(terms.record, name) for name in columns}
        return {
            name: format(value, "f") if isinstance(value, Decimal) else str(value)
            for name, value in values.items()
            if value is not None
        }


_TRADED = ("underlying", "price_multiplier", "delivery_type", "commodity")
_OPTION = ("expiry", "option_type", "strike", "exercise_style", *_TRADED)


class FundTerms(TermsSerializer):
    """Terms of a collective investment vehicle: what there is to say of it, its CFI code says."""

    letter = "C"


class EquityTerms(TermsSerializer):
    """Terms of equity: depositary receipts and structured instruments have an underlying."""

    letter = "E"
    own = ("underlying",)


class DebtTerms(TermsSerializer):
    """Terms of debt."""

    letter = "D"
    own = (
        *("maturity", "coupon", "seniority", "total_issued_nominal", "nominal_value_per_unit"),
        "underlying",
    )


class EntitlementTerms(TermsSerializer):
    """Terms of rights and warrants."""

    letter = "R"
    own = _OPTION


class OptionTerms(TermsSerializer):
    """Terms of a listed option."""

    letter = "O"
    own = (*_OPTION, "foreign_exchange", "reference_rate")


class NonListedOptionTerms(TermsSerializer):
    """Terms of a non-listed or complex listed option."""

    letter = "H"
    own = (*OptionTerms.own, "first_leg", "other_leg")


class FutureTerms(TermsSerializer):
    """Terms of a future."""

    letter = "F"
    own = ("expiry", *_TRADED, "foreign_exchange", "reference_rate")


class SwapTerms(TermsSerializer):
    """Terms of a swap."""

    letter = "S"
    own = ("expiry", "first_leg", "other_leg", "reference_rate", "foreign_exchange", *_TRADED)


class ForwardTerms(TermsSerializer):
    """Terms of a forward."""

    letter = "J"
    own = ("expiry", "foreign_exchange", "reference_rate", *_TRADED)


class SpotTerms(TermsSerializer):
    """Terms of a spot contract."""

    letter = "I"
    own = ("foreign_exchange", "commodity", "delivery_type")


class AnyTerms(TermsSerializer):
    """K, L, M, T, and a category that ISO 10962 does not have: every term."""

    own = tuple(_TERMS)


_WITH_LETTER = (
    FundTerms,
    EquityTerms,
    DebtTerms,
    EntitlementTerms,
    OptionTerms,
    NonListedOptionTerms,
    FutureTerms,
    SwapTerms,
    ForwardTerms,
    SpotTerms,
)
OF_CATEGORY: dict[str, Any] = {
    **{of.letter: of for of in _WITH_LETTER},
    **dict.fromkeys("KLMT", AnyTerms),
}
SCHEMA = PolymorphicProxySerializer("Terms", OF_CATEGORY, "category", allow_null=False)


def shown(terms: Terms) -> Any:
    """The terms as the category of the instrument has them."""
    return OF_CATEGORY.get(terms.category, AnyTerms)(terms).data
