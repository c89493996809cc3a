"""The terms of an instrument, as RTS 23 groups them: each section is there where ESMA says any of it."""

from collections.abc import Callable
from typing import Any

from rest_framework import serializers

from instruments.api.sections import Section, date, decimal, section, text
from instruments.models import Listing


def _amount(column: str) -> Any:
    fields = {"amount": decimal(column), "currency": text(f"{column}_currency")}
    name = "".join(word.title() for word in column.split("_"))
    return section(type(name, (Section,), fields))


def _term(column: str, name: str) -> Any:
    fields = {"value": decimal(f"{column}_term_value"), "unit": text(f"{column}_term_unit")}
    return section(type(f"{name}Term", (Section,), fields), help_text="DAYS, WEEK, MNTH or YEAR")


def _rate(column: str, name: str, **more: Callable[[], Any]) -> type[Section]:
    fields = {
        "isin": text(f"{column}_isin"),
        "index": text(f"{column}_index", help_text="four-letter code, as EURI"),
        "name": text(f"{column}_name"),
        "term": _term(column, name),
        **{key: make() for key, make in more.items()},
    }
    return type(name, (Section,), fields)


FloatingRate = _rate(
    "floating_rate",
    "FloatingRate",
    spread_basis_points=lambda: decimal("floating_rate_spread"),
)
InterestRate = _rate("interest_rate", "InterestRate")
FirstLegRate = _rate("first_leg_rate", "FirstLegRate")
OtherLegRate = _rate("other_leg_rate", "OtherLegRate")


class DebtTerms(Section):
    total_issued_nominal = _amount("total_issued_nominal")
    maturity_date = date()
    nominal_value_per_unit = _amount("nominal_value_per_unit")
    fixed_rate = decimal(help_text="percent a year")
    floating_rate = section(FloatingRate)
    seniority = text(help_text="SNDB, MZZD, SBOD or JUND")


class IndexUnderlying(Section):
    isin = text("underlying_index_isin")
    rate_isin = text("underlying_index_rate_isin")
    code = text("underlying_index_code")
    name = text("underlying_index_name")
    term = _term("underlying_index", "UnderlyingIndex")


class Underlying(Section):
    isin = text("underlying_isin")
    lei = text("underlying_lei")
    index = section(IndexUnderlying)
    basket = serializers.SerializerMethodField(help_text="ISINs and LEIs, in the order published")

    def get_basket(self, listing: Listing) -> list[str]:
        return (listing.underlying_basket or "").split()


class Strike(Section):
    """One of the prices, or `pending`."""

    amount = decimal("strike_amount")
    currency = text("strike_currency")
    sign = serializers.BooleanField(
        source="strike_sign",
        allow_null=True,
        read_only=True,
        help_text="as published; it is true on positive amounts too and is not applied",
    )
    percentage = decimal("strike_percentage")
    yield_ = decimal("strike_yield")
    basis_points = decimal("strike_basis_points")
    pending = text("strike_pending", help_text="PNDG or NOAP where there is no price yet")
    pending_currency = text("strike_pending_currency")

    def get_fields(self) -> dict[str, Any]:
        """`yield` is a word of Python's."""
        return {name.rstrip("_"): field for name, field in super().get_fields().items()}


class Commodity(Section):
    product = text("commodity_product", help_text="branch of ESMA's tree, as Nrgy/Elctrcty")
    base_product = text("commodity_base_product")
    sub_product = text("commodity_sub_product")
    additional_sub_product = text("commodity_additional_sub_product")
    transaction_type = text("commodity_transaction_type")
    final_price_type = text("commodity_final_price_type")


class InterestRateTerms(Section):
    reference_rate = section(InterestRate)
    first_leg_fixed_rate = decimal()
    first_leg_floating_rate = section(FirstLegRate)
    other_leg_currency = text()
    other_leg_fixed_rate = decimal()
    other_leg_floating_rate = section(OtherLegRate)


class ForeignExchange(Section):
    type = text("fx_type", help_text="FXCR, FXEM or FXMJ")
    other_currency = text("fx_other_currency")


class DerivativeTerms(Section):
    expiry_date = date()
    price_multiplier = decimal()
    underlying = section(Underlying)
    option_type = text(help_text="CALL, PUTO or OTHR")
    strike = section(Strike)
    exercise_style = text()
    delivery_type = text(help_text="PHYS, CASH or OPTL")
    commodity = section(Commodity)
    interest_rate = section(InterestRateTerms)
    foreign_exchange = section(ForeignExchange)


class Terms(serializers.Serializer[Listing]):
    """Of the authoritative listing. A section is null where the record has nothing of it."""

    debt = section(DebtTerms)
    derivative = section(DerivativeTerms)
