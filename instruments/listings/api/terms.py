"""The terms of an instrument and what follows from them, one by one: see instruments/listings/terms.py."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from instruments.api_fields import Section, date, decimal, section, text
from instruments.listings import codes
from instruments.listings.rates import underlying_index
from instruments.models import ListingRecord

_COUNTED = "days from `as_of`, negative afterwards; null where the date names no day"


class Coded(serializers.Serializer[str]):
    """A code of RTS 23, and what it means."""

    code = serializers.CharField()
    meaning = serializers.CharField(allow_null=True, help_text="null for a code that is not known")

    def __init__(self, words: Mapping[str, str] | None = None, **options: Any) -> None:
        self._words = words or {}
        super().__init__(**options)

    def to_representation(self, instance: str) -> Any:
        return {"code": instance, "meaning": self._words.get(instance)}


def coded(column: str | None, words: Mapping[str, str]) -> Coded:
    return Coded(words, source=column, allow_null=True, read_only=True)


class MaturityTerms(serializers.Serializer[Any]):
    date = date()
    days = serializers.IntegerField(allow_null=True, help_text=_COUNTED)
    perpetual = serializers.BooleanField(
        allow_null=True, help_text="null where what is published does not say, or says both"
    )
    why = serializers.CharField(help_text="what says whether it is perpetual")


class ExpiryTerms(serializers.Serializer[Any]):
    date = serializers.DateField()
    days = serializers.IntegerField(allow_null=True, help_text=_COUNTED)
    open_ended = serializers.BooleanField(
        help_text="9999-12-31 and its like: no expiry date is defined (ESMA's Q&A 5.5)"
    )


class TermOfRate(Section):
    value = decimal("term_value")
    unit = text("term_unit", help_text="DAYS, WEEK, MNTH or YEAR")


class BenchmarkTerms(serializers.Serializer[Any]):
    """A floating rate."""

    said = serializers.CharField(help_text="in one phrase, as EURIBOR 3 months + 45 basis points")
    isin = text()
    index = text(help_text="four-letter code, as EURI")
    name = text()
    term = section(TermOfRate)
    spread_basis_points = decimal()


class CouponTerms(serializers.Serializer[Any]):
    said = serializers.CharField()
    floating = serializers.BooleanField(help_text="whether a floating rate is published")
    fixed_rate = decimal(help_text="percent a year")
    benchmark = BenchmarkTerms(allow_null=True)


class LegTerms(serializers.Serializer[Any]):
    said = serializers.CharField()
    currency = text()
    fixed_rate = decimal(help_text="percent a year")
    benchmark = BenchmarkTerms(allow_null=True)


class StrikeTerms(serializers.Serializer[Any]):
    kind = serializers.CharField(
        help_text="amount, percentage, yield or basis points; pending or none, without a value"
    )
    value = decimal()
    currency = text(help_text="of an amount, or of one that is pending")


class IndexTerms(Section):
    said = serializers.SerializerMethodField(help_text="name or code with the term")
    isin = text("underlying_index_isin")
    rate_isin = text("underlying_index_rate_isin")
    code = text("underlying_index_code")
    name = text("underlying_index_name")
    term_value = decimal("underlying_index_term_value")
    term_unit = text("underlying_index_term_unit")

    def get_said(self, record: ListingRecord) -> str | None:
        index = underlying_index(record)
        return index.said if index else None


class UnderlyingTerms(Section):
    isin = text("underlying_isin")
    lei = text("underlying_lei", help_text="of an issuer")
    index = section(IndexTerms)
    basket = serializers.SerializerMethodField(help_text="ISINs and LEIs, in the order published")

    def get_basket(self, record: ListingRecord) -> list[str]:
        return (record.underlying_basket or "").split()


class CommodityTerms(Section):
    product = text("commodity_product", help_text="branch of ESMA's tree, as Nrgy/Elctrcty")
    base_product = coded("commodity_base_product", codes.BASE_PRODUCT)
    sub_product = coded("commodity_sub_product", codes.SUB_PRODUCT)
    additional_sub_product = coded("commodity_additional_sub_product", codes.FURTHER_SUB_PRODUCT)
    transaction_type = coded("commodity_transaction_type", codes.TRANSACTION_TYPE)
    final_price_type = coded("commodity_final_price_type", codes.FINAL_PRICE_TYPE)


class ForeignExchangeTerms(serializers.Serializer[Any]):
    pair = text(help_text="as EUR/USD: the notional currency, and the other one")
    type = coded(None, codes.FX_TYPE)
    other_currency = text()


class TotalIssuedNominal(Section):
    amount = decimal("total_issued_nominal")
    currency = text("total_issued_nominal_currency")


class NominalValuePerUnit(Section):
    amount = decimal("nominal_value_per_unit")
    currency = text("nominal_value_per_unit_currency")
