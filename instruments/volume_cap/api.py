"""Volume cap results over HTTP."""

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import django_filters
from django.core.validators import DecimalValidator, RegexValidator
from django.db.models import Prefetch, Q
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from instruments.api_fields import decimal, text
from instruments.isin import problem_of
from instruments.listings.api.filters import check_isins
from instruments.models import Instrument, ResultQuerySet, VolumeCap, VolumeCapVenue
from instruments.transparency.api.serializers import PeriodSerializer
from marketdata.api.filters import CommaOrAgain, TruthFilter
from marketdata.api.pagination import BoundedPages
from marketdata.api.problems import documented
from marketdata.common.access import reading

_PROBLEMS = documented(
    {
        400: "A parameter cannot be what it says.",
        401: "Reading needs a sign-in here.",
        403: "Your roles do not include reading.",
        404: "Nothing is known of that ISIN, or no such page.",
    }
)
# What the columns hold; a number with a large exponent would be written out digit by digit.
_DIGITS = DecimalValidator(max_digits=35, decimal_places=17)
_ABOVE_HELP = "A percentage, as 4: only venues with more than this"


class VolumeCapVenueSerializer(serializers.ModelSerializer[VolumeCapVenue]):
    """One venue's part."""

    mic = text()
    percentage = decimal(
        help_text="of all trading in the instrument, under waivers on this venue; as published"
    )
    disclaimer = text()

    class Meta:
        model = VolumeCapVenue
        fields = ("mic", "percentage", "disclaimer")
        read_only_fields = fields


class VolumeCapSerializer(serializers.ModelSerializer[VolumeCap]):
    """One published result."""

    reporting_period = PeriodSerializer(allow_null=True)
    last_updated_on = serializers.DateField(allow_null=True)
    total_volume = decimal()
    percentage = decimal(help_text="of the trading that was under waivers; as published")
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


class InstrumentVolumeCapSerializer(serializers.Serializer[Any]):
    """What is published of one ISIN."""

    isin = serializers.CharField()
    above = decimal(help_text="venues that are not above it are left out; null: none are")
    results = VolumeCapSerializer(
        many=True, help_text="every current result, the newest reporting period first"
    )


class VolumeCapFilterSet(django_filters.FilterSet):
    isin = django_filters.CharFilter(
        method="filter_isin",
        validators=[check_isins],
        widget=CommaOrAgain,
        label="One ISIN or several, with commas between or the parameter repeated",
    )
    mic = django_filters.CharFilter(
        method="filter_venues",
        validators=[
            RegexValidator(
                "^[A-Z0-9]{4}$", "A MIC has four letters or digits.", flags=re.IGNORECASE
            )
        ],
        label="MIC of a venue that a result names",
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
    superseded = TruthFilter(
        method="filter_superseded",
        label="Results that later ones have replaced; else only current ones",
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
        return queryset  # both at once, below: they are about the same venue

    def filter_queryset(self, queryset: Any) -> Any:
        asked = self.form.cleaned_data
        if asked.get("superseded") in ("", None):
            queryset = queryset.current()
        venues = {}
        if asked.get("mic"):
            venues["mic"] = asked["mic"].upper()
        if asked.get("above_on_venue") is not None:
            venues["percentage__gt"] = asked["above_on_venue"]
        if venues:
            named = VolumeCapVenue.objects.filter(**venues)
            queryset = queryset.filter(pk__in=named.order_by().values("volume_cap"))
        return super().filter_queryset(queryset)


@extend_schema_view(
    list=extend_schema(
        summary="List and filter volume cap results",
        responses={200: VolumeCapSerializer(many=True), **_PROBLEMS},
    )
)
class VolumeCapViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[VolumeCap]):
    """How much of the trading in an instrument was under waivers, as ESMA published it (DVCRES)."""

    title = "Volume cap"
    queryset = (
        VolumeCap.objects.select_related("source_file")
        .prefetch_related("venues")
        .order_by("isin", "pk")
    )
    needs = {"list": reading("instruments.view_volumecap")}
    serializer_class = VolumeCapSerializer
    filterset_class = VolumeCapFilterSet
    pagination_class = BoundedPages


class _AboveSerializer(serializers.Serializer[Any]):
    above = serializers.DecimalField(
        max_digits=None, decimal_places=None, required=False, validators=[_DIGITS]
    )


def volume_cap_of(text_: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What `InstrumentVolumeCapSerializer` shows. Raises ValidationError, NotFound."""
    isin = text_.upper()
    if problem := problem_of(isin):
        raise exceptions.ValidationError({"isin": [f"{isin}: {problem}."]})
    asked = _AboveSerializer(data=parameters)
    asked.is_valid(raise_exception=True)
    above = asked.validated_data.get("above")
    venues = VolumeCapVenue.objects.all()
    if above is not None:
        venues = venues.filter(percentage__gt=above)
    results = list(
        VolumeCap.objects.for_isin(isin)
        .select_related("source_file")
        .prefetch_related(Prefetch("venues", venues))
    )
    if not results and not Instrument.objects.filter(pk=isin).exists():
        raise exceptions.NotFound(f"Nothing of {isin} is in the files loaded.")
    return {"isin": isin, "above": above, "results": results}


class InstrumentVolumeCapView(APIView):
    """The volume cap results of one instrument, and the venues in them."""

    name = "Volume cap"
    needs = {"GET": reading("instruments.view_volumecap")}

    @extend_schema(
        summary="The volume cap results of an instrument, with the venues, or those above a percentage",
        parameters=[
            OpenApiParameter("isin", str, OpenApiParameter.PATH, description="ISIN"),
            OpenApiParameter("above", Decimal, OpenApiParameter.QUERY, description=_ABOVE_HELP),
        ],
        responses={200: InstrumentVolumeCapSerializer, **_PROBLEMS},
    )
    def get(self, request: Request, isin: str) -> Response:
        if unknown := sorted(set(request.query_params) - {"above", "format"}):
            raise exceptions.ValidationError(
                {name: ["no such parameter; there is above"] for name in unknown}
            )
        found = volume_cap_of(isin, request.query_params)
        return Response(InstrumentVolumeCapSerializer(found).data)
