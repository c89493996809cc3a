"""Serializers of transparency results.

They document the dictionaries of `instruments.transparency.descriptions` for OpenAPI, and present results
by those functions.
"""

from typing import Any

from rest_framework import serializers

from instruments.api_fields import PeriodSerializer, Section, decimal, section, text
from instruments.models import Register, SubclassTransparency, TransparencyResult
from instruments.transparency import descriptions
from instruments.transparency.application_periods import Rule
from instruments.transparency.fields import THRESHOLDS

_RULES = [(rule.code, rule.text) for rule in Rule]


def _threshold(column: str) -> Any:
    fields = {
        "amount": decimal(column),
        "currency": text(f"{column}_currency"),
        "number": decimal(f"{column}_number", help_text="of units, where no amount is published"),
    }
    name = "".join(word.title() for word in column.split("_"))
    return section(type(f"{name}Threshold", (Section,), fields))


class ThresholdsSerializer(Section):
    """Large in scale (LIS) and size specific to the instrument (SSTI), pre-trade and post-trade."""

    pre_trade_lis, post_trade_lis, pre_trade_ssti, post_trade_ssti = map(_threshold, THRESHOLDS)


class CriterionSerializer(serializers.Serializer[Any]):
    """One criterion of a sub-class."""

    name = serializers.CharField(help_text="as SACL (sub-asset class), UINS or TTMB")
    value = serializers.CharField()


class AppliesPeriodSerializer(serializers.Serializer[Any]):
    """The days on which a result applies, both included; null where a published period is open."""

    first_day = serializers.DateField(allow_null=True)
    last_day = serializers.DateField(allow_null=True)
    rule = serializers.ChoiceField(choices=_RULES)


class ResultSerializer(serializers.ModelSerializer[Any]):
    """The fields that results by ISIN and by sub-class share."""

    reporting_period = PeriodSerializer(allow_null=True)
    liquid = serializers.BooleanField(
        allow_null=True, help_text="as published; null where the result has no liquidity"
    )
    thresholds = section(ThresholdsSerializer)
    total_transactions = decimal()
    total_volume = decimal()
    criteria = CriterionSerializer(many=True)
    applies = AppliesPeriodSerializer(
        allow_null=True,
        help_text="the days on which the result applies, and the rule; null where it never applies "
        "(totals for the systematic-internaliser test), or where that depends on the first day of trading",
    )
    source_file = serializers.CharField()
    source_position = serializers.IntegerField(
        help_text="1 is the first record of the file; 0 is not known: the file has a result of an earlier one"
        " again after a correction, or the file that published it first has been republished without it"
    )
    published_on = serializers.DateField()

    common: tuple[str, ...] = (
        "classification",
        "subject",
        "reporting_period",
        "applies",
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
        "published_on",
    )


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
    """Sizes and the most relevant market, of equity results."""


class TransparencyResultSerializer(ResultSerializer):
    """One published result for one ISIN."""

    application_period = PeriodSerializer(
        allow_null=True, help_text="as published (ApplPrd, since April 2025); see `applies`"
    )
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

    def to_representation(self, instance: TransparencyResult) -> Any:
        return descriptions.describe_result(instance)


class SubclassTransparencySerializer(ResultSerializer):
    """One published result for one sub-class of non-equity instruments."""

    class Meta:
        model = SubclassTransparency
        fields = ("asset_class", *ResultSerializer.common)
        read_only_fields = fields

    def to_representation(self, instance: SubclassTransparency) -> Any:
        return descriptions.describe_subclass_result(instance)


class DatedResultSerializer(serializers.Serializer[Any]):
    """One of several results that contradict each other, with the days on which it applies."""

    applies_from = serializers.DateField(allow_null=True)
    applies_to = serializers.DateField(allow_null=True)
    result = TransparencyResultSerializer()


class ApplicableSerializer(serializers.Serializer[Any]):
    """The result that applies in one respect, and why."""

    why = serializers.CharField(help_text="the reason in words")
    rule = serializers.ChoiceField(
        choices=_RULES,
        allow_null=True,
        help_text="the rule that the application period follows from (ESMA65-8-5240, paragraphs 28 to 39)",
    )
    applies_from = serializers.DateField(allow_null=True)
    applies_to = serializers.DateField(allow_null=True)
    source_file = serializers.CharField(allow_null=True)
    published_on = serializers.DateField(
        allow_null=True,
        help_text="publication day of the file that published this version first",
    )
    result = TransparencyResultSerializer(allow_null=True, help_text="null where none applies")
    conflict = DatedResultSerializer(
        many=True,
        help_text="the results in force, where they contradict each other: none of them is preferred",
    )


class AppliesSerializer(serializers.Serializer[Any]):
    """The result that applies, by respect."""

    liquidity = ApplicableSerializer()
    thresholds = ApplicableSerializer()
    market_size = ApplicableSerializer(help_text="turnover and sizes, of equity")


class TurnoverSerializer(serializers.Serializer[Any]):
    """The totals of one reporting period."""

    first_day = serializers.DateField(allow_null=True)
    last_day = serializers.DateField(allow_null=True)
    methodology = serializers.CharField(allow_null=True)
    transactions = decimal()
    volume = decimal(help_text="as published, which is without a unit")
    overlaps = serializers.BooleanField(
        help_text="shares days with another period of this list: the two must not be added"
    )


class InstrumentTransparencySerializer(serializers.Serializer[Any]):
    """The published results for one ISIN, and those that apply on a day."""

    isin = serializers.CharField()
    on = serializers.DateField(help_text="the day for which `applies` is answered")
    known_on = serializers.DateField(
        allow_null=True, help_text="only results published by this day count; null: all"
    )
    register = serializers.ChoiceField(
        choices=Register.choices, help_text="the authority whose results these are"
    )
    other_registers = serializers.ListField(
        child=serializers.ChoiceField(choices=Register.choices),
        help_text="registers that publish results for this ISIN too",
    )
    applies = AppliesSerializer()
    turnover = TurnoverSerializer(
        many=True, help_text="by reporting period, oldest first; never summed"
    )
    results = TransparencyResultSerializer(
        many=True, help_text="every current result, the newest reporting period first"
    )
