"""The terms of an instrument, as RTS 23 groups them: each section is there where ESMA says any of it."""

from collections.abc import Callable
from typing import Any

from rest_framework import serializers

from instruments.models import Listing


class _Section(serializers.Serializer[Listing]):
    """Fields of one listing; None as a whole where the listing has none of them."""

    def to_representation(self, instance: Listing) -> Any:
        values = super().to_representation(instance)
        return values if any(value not in (None, []) for value in values.values()) else None


def _section(base: type[_Section], **options: Any) -> Any:
    return base(source="*", allow_null=True, read_only=True, **options)


def _text(column: str | None = None, **options: Any) -> serializers.CharField:
    return serializers.CharField(source=column, allow_null=True, read_only=True, **options)


def _decimal(column: str | None = None, **options: Any) -> serializers.Field[Any, Any, Any, Any]:
    return ExactDecimal(source=column, allow_null=True, read_only=True, **options)


def _date(column: str | None = None) -> serializers.DateField:
    return serializers.DateField(source=column, allow_null=True, read_only=True)


class ExactDecimal(serializers.DecimalField):
    """A decimal as the digits that ESMA published, in a string: JSON numbers are floats for most."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=None, decimal_places=None, **options)

    def to_representation(self, value: Any) -> str:
        return format(value, "f")


def _amount(column: str) -> Any:
    fields = {"amount": _decimal(column), "currency": _text(f"{column}_currency")}
    name = "".join(word.title() for word in column.split("_"))
    return _section(type(name, (_Section,), fields))


def _term(column: str, name: str) -> Any:
    fields = {"value": _decimal(f"{column}_term_value"), "unit": _text(f"{column}_term_unit")}
    return _section(type(f"{name}Term", (_Section,), fields), help_text="DAYS, WEEK, MNTH or YEAR")


def _rate(column: str, name: str, **more: Callable[[], Any]) -> type[_Section]:
    fields = {
        "isin": _text(f"{column}_isin"),
        "index": _text(f"{column}_index", help_text="four-letter code, as EURI"),
        "name": _text(f"{column}_name"),
        "term": _term(column, name),
        **{key: make() for key, make in more.items()},
    }
    return type(name, (_Section,), fields)


FloatingRate = _rate(
    "floating_rate",
    "FloatingRate",
    spread_basis_points=lambda: _decimal("floating_rate_spread"),
)
InterestRate = _rate("interest_rate", "InterestRate")
FirstLegRate = _rate("first_leg_rate", "FirstLegRate")
OtherLegRate = _rate("other_leg_rate", "OtherLegRate")


class DebtTerms(_Section):
    total_issued_nominal = _amount("total_issued_nominal")
    maturity_date = _date()
    nominal_value_per_unit = _amount("nominal_value_per_unit")
    fixed_rate = _decimal(help_text="percent a year")
    floating_rate = _section(FloatingRate)
    seniority = _text(help_text="SNDB, MZZD, SBOD or JUND")


class IndexUnderlying(_Section):
    isin = _text("underlying_index_isin")
    rate_isin = _text("underlying_index_rate_isin")
    code = _text("underlying_index_code")
    name = _text("underlying_index_name")
    term = _term("underlying_index", "UnderlyingIndex")


class Underlying(_Section):
    isin = _text("underlying_isin")
    lei = _text("underlying_lei")
    index = _section(IndexUnderlying)
    basket = serializers.SerializerMethodField(help_text="ISINs and LEIs, in the order published")

    def get_basket(self, listing: Listing) -> list[str]:
        return (listing.underlying_basket or "").split()


class Strike(_Section):
    """One of the prices, or `pending`."""

    amount = _decimal("strike_amount")
    currency = _text("strike_currency")
    sign = serializers.BooleanField(
        source="strike_sign",
        allow_null=True,
        read_only=True,
        help_text="as published; it is true on positive amounts too and is not applied",
    )
    percentage = _decimal("strike_percentage")
    yield_ = _decimal("strike_yield")
    basis_points = _decimal("strike_basis_points")
    pending = _text("strike_pending", help_text="PNDG or NOAP where there is no price yet")
    pending_currency = _text("strike_pending_currency")

    def get_fields(self) -> dict[str, Any]:
        """`yield` is a word of Python's."""
        return {name.rstrip("_"): field for name, field in super().get_fields().items()}


class Commodity(_Section):
    product = _text("commodity_product", help_text="branch of ESMA's tree, as Nrgy/Elctrcty")
    base_product = _text("commodity_base_product")
    sub_product = _text("commodity_sub_product")
    additional_sub_product = _text("commodity_additional_sub_product")
    transaction_type = _text("commodity_transaction_type")
    final_price_type = _text("commodity_final_price_type")


class InterestRateTerms(_Section):
    reference_rate = _section(InterestRate)
    first_leg_fixed_rate = _decimal()
    first_leg_floating_rate = _section(FirstLegRate)
    other_leg_currency = _text()
    other_leg_fixed_rate = _decimal()
    other_leg_floating_rate = _section(OtherLegRate)


class ForeignExchange(_Section):
    type = _text("fx_type", help_text="FXCR, FXEM or FXMJ")
    other_currency = _text("fx_other_currency")


class DerivativeTerms(_Section):
    expiry_date = _date()
    price_multiplier = _decimal()
    underlying = _section(Underlying)
    option_type = _text(help_text="CALL, PUTO or OTHR")
    strike = _section(Strike)
    exercise_style = _text()
    delivery_type = _text(help_text="PHYS, CASH or OPTL")
    commodity = _section(Commodity)
    interest_rate = _section(InterestRateTerms)
    foreign_exchange = _section(ForeignExchange)


class Terms(serializers.Serializer[Listing]):
    """Of the authoritative listing. A section is null where the record has nothing of it."""

    debt = _section(DebtTerms)
    derivative = _section(DerivativeTerms)
