"""Volume cap results and suspensions in the API."""

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import django_filters
from django.core.validators import DecimalValidator, RegexValidator
from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from instruments.api_fields import decimal, text
from instruments.listings.filters import check_isins
from instruments.models import ResultQuerySet, VolumeCap, VolumeCapSuspension, VolumeCapVenue
from instruments.transparency.api.serializers import PeriodSerializer
from instruments.volume_cap.questions import InstrumentVolumeCap, volume_cap_of
from marketdata.api.pagination import KeysetPages
from marketdata.api.problems import documented
from marketdata.common.access import reading
from marketdata.common.filters import CommaSeparatedInput, TrueFalseFilter

_PROBLEMS = documented(
    {
        404: "No loaded file mentions this ISIN, or there is no such page.",
    }
)
# The digits that the columns hold: a number with a large exponent would be written out digit by digit.
_DIGITS = DecimalValidator(max_digits=35, decimal_places=17)
_ABOVE_HELP = "A percentage, as 4: only venues with a larger share"


class VolumeCapVenueSerializer(serializers.ModelSerializer[VolumeCapVenue]):
    """The share of one venue."""

    mic = text()
    percentage = decimal(
        help_text="share of all trading in the instrument that was under waivers on this venue, as published"
    )
    disclaimer = text()

    class Meta:
        model = VolumeCapVenue
        fields = ("mic", "percentage", "disclaimer")
        read_only_fields = fields


class VolumeCapSerializer(serializers.ModelSerializer[VolumeCap]):
    """A published volume cap result."""

    reporting_period = PeriodSerializer(allow_null=True)
    last_updated_on = serializers.DateField(allow_null=True)
    total_volume = decimal()
    percentage = decimal(help_text="share of the trading that was under waivers, as published")
    venues = VolumeCapVenueSerializer(many=True, help_text="the percentages by venue")
    source_file = serializers.CharField(source="source_file.name")

    class Meta:
        model = VolumeCap
        fields = (
            "isin",
            "reporting_period",
            "last_updated_on",
            "total_volume",
            "total_volume_currency",
            "percentage",
            "venues",
            "disclaimer",
            "superseded",
            "register",
            "technical_record_id",
            "source_file",
            "source_position",
        )
        read_only_fields = fields


class SuspensionSerializer(serializers.ModelSerializer[VolumeCapSuspension]):
    """A suspension of the reference price waiver under the single volume cap (since October 2025)."""

    class Meta:
        model = VolumeCapSuspension
        fields = ("suspended_from", "suspended_to", "published_on", "source_name")
        read_only_fields = fields


class InstrumentVolumeCapSerializer(serializers.Serializer[InstrumentVolumeCap]):
    """The volume cap results and suspensions of one ISIN."""

    isin = serializers.CharField()
    above = decimal(help_text="venues with at most this percentage are left out; null: none are")
    results = VolumeCapSerializer(
        many=True, help_text="every current result, the newest reporting period first"
    )
    on = serializers.DateField(help_text="the day for which `suspension` is answered")
    suspension = SuspensionSerializer(
        allow_null=True, help_text="the suspension in force on that day; null: none is loaded"
    )
    suspensions = SuspensionSerializer(many=True, help_text="all suspensions, the newest first")


class VolumeCapFilterSet(django_filters.FilterSet):
    isin = django_filters.CharFilter(
        method="filter_isin",
        validators=[check_isins],
        widget=CommaSeparatedInput,
        label="One ISIN or several, with commas between or the parameter repeated",
    )
    mic = django_filters.CharFilter(
        method="filter_venues",
        validators=[
            RegexValidator(
                "^[A-Z0-9]{4}$", "A MIC has four letters or digits.", flags=re.IGNORECASE
            )
        ],
        label="MIC of a venue of the result",
    )
    period_end = django_filters.DateFilter(
        "reported_period_to", label="Last day of the reporting period, as 2024-12-31"
    )
    day = django_filters.DateFilter(
        method="filter_day", label="A day of the reporting period, as 2024-06-30"
    )
    above = django_filters.NumberFilter(
        "percentage",
        "gt",
        validators=[_DIGITS],
        label="Results with more than this percentage under waivers, as 7",
    )
    above_on_venue = django_filters.NumberFilter(
        method="filter_venues",
        validators=[_DIGITS],
        label="Results with more than this percentage on a venue (that of mic, if given), as 4",
    )
    superseded = TrueFalseFilter(
        method="filter_superseded",
        label="true: only results that later ones have replaced; default: only current ones",
    )

    class Meta:
        model = VolumeCap
        fields: list[str] = []

    def filter_isin(self, queryset: ResultQuerySet, name: str, value: str) -> ResultQuerySet:
        return queryset.filter(isin__in=[isin.strip() for isin in value.upper().split(",")])

    def filter_day(self, queryset: ResultQuerySet, name: str, value: dt.date) -> ResultQuerySet:
        return queryset.filter(
            Q(reported_period_from__lte=value, reported_period_to__gte=value)
            | Q(reported_from__lte=value)
            | Q(reported_to__gte=value)
            | Q(reported_on=value)
        )

    def filter_superseded(self, queryset: ResultQuerySet, name: str, value: bool) -> ResultQuerySet:
        return queryset.filter(superseded=value)

    def filter_venues(self, queryset: ResultQuerySet, name: str, value: Any) -> ResultQuerySet:
        return queryset  # `filter_queryset` applies both conditions to the same venue

    def filter_queryset(self, queryset: Any) -> Any:
        filters = self.form.cleaned_data
        if filters.get("superseded") in ("", None):
            queryset = queryset.current()
        conditions: dict[str, Any] = {}
        if filters.get("mic"):
            conditions["mic"] = filters["mic"].upper()
        if filters.get("above_on_venue") is not None:
            conditions["percentage__gt"] = filters["above_on_venue"]
        if conditions:
            venues = VolumeCapVenue.objects.filter(**conditions)
            queryset = queryset.filter(pk__in=venues.order_by().values("volume_cap"))
        return super().filter_queryset(queryset)


@extend_schema_view(
    list=extend_schema(
        summary="List and filter volume cap results",
        responses={200: VolumeCapSerializer(many=True), **_PROBLEMS},
    )
)
class VolumeCapViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[VolumeCap]):
    """The share of trading under waivers by instrument, as published (DVCRES)."""

    title = "Volume cap"
    queryset = (
        VolumeCap.objects.select_related("source_file")
        .prefetch_related("venues")
        .order_by("isin", "pk")
    )
    needs = {"list": reading("instruments.view_volumecap")}
    serializer_class = VolumeCapSerializer
    filterset_class = VolumeCapFilterSet
    pagination_class = KeysetPages


class _QuestionSerializer(serializers.Serializer[Any]):
    above = serializers.DecimalField(
        max_digits=None, decimal_places=None, required=False, validators=[_DIGITS]
    )
    on = serializers.DateField(required=False)


class InstrumentVolumeCapView(APIView):
    """The volume cap results of one instrument with their venues, and its suspensions."""

    name = "Volume cap"
    needs = {"GET": reading("instruments.view_volumecap")}

    @extend_schema(
        summary="The volume cap results of an instrument with their venues, and its suspensions",
        parameters=[
            OpenApiParameter("isin", str, OpenApiParameter.PATH, description="ISIN"),
            OpenApiParameter("above", Decimal, OpenApiParameter.QUERY, description=_ABOVE_HELP),
            OpenApiParameter(
                "on",
                dt.date,
                description="The day for which `suspension` is answered; default: today",
            ),
        ],
        responses={200: InstrumentVolumeCapSerializer, **_PROBLEMS},
    )
    def get(self, request: Request, isin: str) -> Response:
        if unknown := sorted(set(request.query_params) - {"above", "on", "format"}):
            raise exceptions.ValidationError(
                {name: ["No such parameter; there are above and on."] for name in unknown}
            )
        question = _QuestionSerializer(data=request.query_params)
        question.is_valid(raise_exception=True)
        validated = question.validated_data
        answer = volume_cap_of(
            isin,
            on=validated.get("on") or dt.datetime.now(tz=dt.UTC).date(),
            above=validated.get("above"),
        )
        return Response(InstrumentVolumeCapSerializer(answer).data)
