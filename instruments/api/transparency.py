"""Transparency results over HTTP."""

import datetime as dt
import re
from typing import Any

import django_filters
from django.core.validators import RegexValidator
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from instruments import transparency
from instruments.api.filters import check_isins
from instruments.api.sections import Section, decimal, section, text
from instruments.isin import problem_of
from instruments.models import (
    Instrument,
    ResultQuerySet,
    SubclassTransparency,
    Subject,
    TransparencyResult,
)
from instruments.results import THRESHOLDS
from marketdata.api.filters import CodeFilter, CommaOrAgain
from marketdata.api.pagination import BoundedPages
from marketdata.api.problems import documented

_PROBLEMS = documented(
    {
        400: "A parameter cannot be what it says.",
        403: "Reading needs a sign-in here.",
        404: "Nothing is known of that ISIN, or no such page.",
    }
)


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


def _code(pattern: str, message: str) -> RegexValidator:
    return RegexValidator(f"^(?:{pattern})$", message, flags=re.IGNORECASE)


_CODE4 = _code("[A-Z0-9]{4}", "A code has four letters or digits.")


class ResultFilterSet(django_filters.FilterSet):
    classification = CodeFilter(
        validators=[_CODE4], label="Kind of instrument, as SHRS, ETFS, BOND or DERV"
    )
    subject = django_filters.ChoiceFilter(choices=Subject.choices, label="What a result says")
    liquid = django_filters.BooleanFilter(label="Liquid or not, as published")
    superseded = django_filters.BooleanFilter(
        method="filter_superseded",
        label="Results that later ones have replaced; else only current ones",
    )

    def filter_superseded(self, queryset: ResultQuerySet, name: str, value: bool) -> ResultQuerySet:
        return queryset.filter(superseded=value)

    def filter_queryset(self, queryset: Any) -> Any:
        if self.form.cleaned_data.get("superseded") is None:
            queryset = queryset.current()
        return super().filter_queryset(queryset)


class TransparencyFilterSet(ResultFilterSet):
    isin = django_filters.CharFilter(
        method="filter_isin",
        validators=[check_isins],
        widget=CommaOrAgain,
        label="One ISIN or several, with commas between or the parameter repeated",
    )
    methodology = CodeFilter(validators=[_CODE4], label="YEAR, SINT, ESTM or FFWK; of equity only")
    relevant_market = CodeFilter(validators=[_CODE4], label="MIC of the most relevant market")
    period_end = django_filters.DateFilter(
        "reported_period_to", label="Last day of the reporting period, as 2024-12-31"
    )

    class Meta:
        model = TransparencyResult
        fields: list[str] = []

    def filter_isin(self, queryset: ResultQuerySet, name: str, value: str) -> ResultQuerySet:
        return queryset.filter(isin__in=[isin.strip() for isin in value.upper().split(",")])


class SubclassFilterSet(ResultFilterSet):
    asset_class = CodeFilter(validators=[_CODE4], label="As BOND, EQDV or IRDV")
    q = django_filters.CharFilter(
        "sub_class", "icontains", max_length=100, label="Words of the description"
    )

    class Meta:
        model = SubclassTransparency
        fields: list[str] = []


@extend_schema_view(
    list=extend_schema(
        summary="List and filter transparency results by ISIN",
        responses={200: TransparencyResultSerializer(many=True), **_PROBLEMS},
    )
)
class TransparencyViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[TransparencyResult]):
    """What ESMA has computed of liquidity, thresholds and turnover (FITRS), by ISIN."""

    queryset = TransparencyResult.objects.select_related("source_file").order_by("isin", "pk")
    serializer_class = TransparencyResultSerializer
    filterset_class = TransparencyFilterSet
    pagination_class = BoundedPages


@extend_schema_view(
    list=extend_schema(
        summary="List and filter transparency results by sub-class",
        responses={200: SubclassTransparencySerializer(many=True), **_PROBLEMS},
    )
)
class SubclassTransparencyViewSet(
    mixins.ListModelMixin, viewsets.GenericViewSet[SubclassTransparency]
):
    """What ESMA has computed of sub-classes of non-equity instruments (FITRS)."""

    queryset = SubclassTransparency.objects.select_related("source_file").order_by(
        "asset_class", "pk"
    )
    serializer_class = SubclassTransparencySerializer
    filterset_class = SubclassFilterSet
    pagination_class = BoundedPages


class ApplyingSerializer(serializers.Serializer[transparency.Applying]):
    """The result that applies in one respect, and why."""

    why = serializers.CharField()
    result = TransparencyResultSerializer(allow_null=True)


class AppliesSerializer(serializers.Serializer[Any]):
    """By respect."""

    liquidity = ApplyingSerializer()
    thresholds = ApplyingSerializer()
    market_size = ApplyingSerializer(help_text="turnover and sizes, of equity")


class TurnoverSerializer(serializers.Serializer[transparency.Turnover]):
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


def transparency_of(text_: str, on: dt.date) -> dict[str, Any]:
    """What `InstrumentTransparencySerializer` shows. Raises ValidationError, NotFound."""
    isin = text_.upper()
    if problem := problem_of(isin):
        raise exceptions.ValidationError({"isin": [f"{isin}: {problem}."]})
    results = list(TransparencyResult.objects.of(isin).select_related("source_file"))
    if not results and not Instrument.objects.filter(pk=isin).exists():
        raise exceptions.NotFound(f"Nothing of {isin} is in the files loaded.")
    return {
        "isin": isin,
        "on": on,
        "applies": transparency.applying(results, on),
        "turnover": transparency.turnover(results),
        "results": results,
    }


class _OnSerializer(serializers.Serializer[Any]):
    on = serializers.DateField(required=False)


class InstrumentTransparencyView(APIView):
    """The transparency of one instrument: what applies, and everything current."""

    name = "Transparency"

    @extend_schema(
        summary="The results that apply to an instrument, and all there are",
        parameters=[
            OpenApiParameter("isin", str, OpenApiParameter.PATH, description="ISIN"),
            OpenApiParameter("on", dt.date, description="The day to ask about; today, if left out"),
        ],
        responses={200: InstrumentTransparencySerializer, **_PROBLEMS},
    )
    def get(self, request: Request, isin: str) -> Response:
        if unknown := sorted(set(request.query_params) - {"on", "format"}):
            raise exceptions.ValidationError(
                {name: ["no such parameter; there is on"] for name in unknown}
            )
        asked = _OnSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        on = asked.validated_data.get("on") or dt.datetime.now(tz=dt.UTC).date()
        return Response(InstrumentTransparencySerializer(transparency_of(isin, on)).data)
