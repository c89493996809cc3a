"""Volume cap results and suspensions in the API."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from instruments import path_parameters
from instruments.api_fields import PeriodSerializer, decimal, text
from instruments.listings.api.lookup_pages import ListsOfIsins, LookupPages
from instruments.models import VolumeCap, VolumeCapSuspension, VolumeCapVenue
from instruments.volume_cap import questions
from instruments.volume_cap.filters import DIGITS, VolumeCapFilterSet
from marketdata.api.parameters import QuerySerializer
from marketdata.api.views import ApiView
from marketdata.web.access import reading


class VolumeCapVenueSerializer(serializers.ModelSerializer[VolumeCapVenue]):
    """The share of one venue."""

    mic = text()
    percentage = decimal(
        help_text="share of all trading in the instrument that was under waivers on this venue, as published"
    )
    disclaimer = text()

    class Meta:
        model = VolumeCapVenue
        fields = questions.VENUE_COLUMNS
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

    def to_representation(self, instance: VolumeCap) -> Any:
        return questions.describe_result(instance)


class SuspensionSerializer(serializers.ModelSerializer[VolumeCapSuspension]):
    """A suspension of the reference price waiver under the single volume cap (since October 2025)."""

    class Meta:
        model = VolumeCapSuspension
        fields = questions.SUSPENSION_COLUMNS
        read_only_fields = fields


class InstrumentVolumeCapSerializer(serializers.Serializer[questions.InstrumentVolumeCap]):
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


class VolumeCapPages(LookupPages):
    """Pages of volume cap results."""

    schema_name = "VolumeCapListWithLookup"


@extend_schema_view(
    list=extend_schema(
        summary="List and filter volume cap results",
        responses={200: VolumeCapSerializer(many=True)},
    )
)
class VolumeCapViewSet(
    ListsOfIsins, ApiView, mixins.ListModelMixin, viewsets.GenericViewSet[VolumeCap]
):
    """The share of trading under waivers by instrument, as published (DVCRES)."""

    title = "Volume cap"
    queryset = questions.with_venues()
    needs = {"list": reading("instruments.view_volumecap")}
    serializer_class = VolumeCapSerializer
    filterset_class = VolumeCapFilterSet
    pagination_class = VolumeCapPages


class VolumeCapQuerySerializer(QuerySerializer):
    """The day of the question, and the percentage below which venues are left out."""

    above = serializers.DecimalField(
        max_digits=None,
        decimal_places=None,
        required=False,
        validators=[DIGITS],
        help_text="A percentage, as 4: only venues with a larger share",
    )
    on = serializers.DateField(
        required=False, help_text="The day for which `suspension` is answered. Default: today (UTC)"
    )


class InstrumentVolumeCapView(ApiView):
    """The volume cap results of one instrument with their venues, and its suspensions."""

    name = "Volume cap"
    needs = {"GET": reading("instruments.view_volumecap")}
    query_serializers = {"GET": VolumeCapQuerySerializer}

    @extend_schema(
        summary="List the volume cap results of an instrument with their venues, and its suspensions",
        parameters=[path_parameters.ISIN],
        responses={200: InstrumentVolumeCapSerializer},
    )
    def get(self, request: Request, isin: str) -> Response:
        answer = questions.get_volume_cap(isin, **self.query)
        return Response(questions.describe_volume_cap(answer))
