"""Transparency results as the API and the commands show them."""

from typing import Any

from rest_framework import serializers

from instruments.api_fields import Section, decimal, section, text
from instruments.models import SubclassTransparency, TransparencyResult
from instruments.transparency import applicable
from instruments.transparency.fields import THRESHOLDS


class PeriodSerializer(serializers.Serializer[Any]):
    """A period; null where it is open."""

    first_day = serializers.DateField(source="0", allow_null=True)
    last_day = serializers.DateField(source="1", allow_null=True)

    def to_representation(self, instance: Any) -> Any:
        return (
            dict(zip(("first_day", "last_day"), instance, strict=True)) if any(instance) else None
        )


def _threshold(column: str) -> Any:
    fields = {
        "amount": decimal(column),
        "currency": text(f"{column}_currency"),
        "number": decimal(f"{column}_number", help_text="of units, where no amount is published"),
    }
    name = "".join(word.title() for word in column.split("_"))
    return section(type(f"{name}Threshold", (Section,), fields))


class ThresholdsSerializer(Section):
    """Large in scale (LIS) and size specific to the instrument (SSTI), before and after the trade."""

    pre_trade_lis, post_trade_lis, pre_trade_ssti, post_trade_ssti = map(_threshold, THRESHOLDS)


class CriterionSerializer(serializers.Serializer[Any]):
    """One criterion of a sub-class."""

    name = serializers.CharField(help_text="as SACL (sub-asset class), UINS or TTMB")
    value = serializers.CharField()


class ResultSerializer(serializers.ModelSerializer[Any]):
    """What results by ISIN and by sub-class have in common."""

    reporting_period = PeriodSerializer(allow_null=True)
    liquid = serializers.BooleanField(
        allow_null=True, help_text="as published; null where the record does not say"
    )
    thresholds = section(ThresholdsSerializer)
    total_transactions = decimal()
    total_volume = decimal()
    criteria = serializers.SerializerMethodField()
    source_file = serializers.CharField(source="source_file.name")

    common: tuple[str, ...] = (
        "classification",
        "subject",
        "reporting_period",
        "liquid",
        "thresholds",
        "total_transactions",
        "total_volume",
        "sub_class",
        "criteria",
        "full_name",
        "trading_venue",
        "superseded",
        "register",
        "record_kind",
        "technical_record_id",
        "source_file",
        "source_position",
    )

    def get_criteria(self, result: Any) -> list[dict[str, str]]:
        return [{"name": name, "value": value} for name, value in result.criteria or []]


class _MarketSize(Section):
    average_daily_turnover = decimal()
    average_daily_turnover_currency = text()
    average_transaction_value = decimal()
    average_transaction_value_currency = text()
    large_in_scale = decimal()
    standard_market_size = decimal()
    average_daily_transactions = decimal()
    trading_days = decimal()
    relevant_market = text(help_text="MIC of the most relevant market in terms of liquidity")
    relevant_market_daily_transactions = decimal()


class MarketSizeSerializer(_MarketSize):
    """What equity results say of the market."""


class TransparencyResultSerializer(ResultSerializer):
    """One published result for one ISIN."""

    application_period = PeriodSerializer(allow_null=True)
    market_size = section(MarketSizeSerializer)

    class Meta:
        model = TransparencyResult
        fields = (
            "isin",
            "methodology",
            "application_period",
            "market_size",
            *ResultSerializer.common,
        )
        read_only_fields = fields


class SubclassTransparencySerializer(ResultSerializer):
    """One published result for one sub-class of non-equity instruments."""

    class Meta:
        model = SubclassTransparency
        fields = ("asset_class", *ResultSerializer.common)
        read_only_fields = fields


class ApplyingSerializer(serializers.Serializer[applicable.Applying]):
    """The result that applies in one respect, and why."""

    why = serializers.CharField()
    result = TransparencyResultSerializer(allow_null=True)


class AppliesSerializer(serializers.Serializer[Any]):
    """By respect."""

    liquidity = ApplyingSerializer()
    thresholds = ApplyingSerializer()
    market_size = ApplyingSerializer(help_text="turnover and sizes, of equity")


class TurnoverSerializer(serializers.Serializer[applicable.Turnover]):
    """One reporting period."""

    first_day = serializers.DateField(allow_null=True)
    last_day = serializers.DateField(allow_null=True)
    methodology = serializers.CharField(allow_null=True)
    transactions = decimal()
    volume = decimal(help_text="as published, which is without a unit")
    overlaps = serializers.BooleanField(
        help_text="shares days with another period of this list: the two must not be added"
    )


class InstrumentTransparencySerializer(serializers.Serializer[Any]):
    """What is published of one ISIN."""

    isin = serializers.CharField()
    on = serializers.DateField(help_text="the day that `applies` is about")
    applies = AppliesSerializer()
    turnover = TurnoverSerializer(
        many=True, help_text="by reporting period, oldest first; never summed"
    )
    results = TransparencyResultSerializer(many=True, help_text="every current result")
