"""Trading venues in the API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from instruments import path_parameters
from instruments.api_fields import CorrectedListSerializer, RecordCorrectionSerializer
from instruments.listings.api.parameters import CorrectionsSerializer, RegisterSerializer
from instruments.listings.api.serializers import InstrumentSerializer
from instruments.models import Instrument, ListedVenue, Venue
from instruments.venues import questions
from instruments.venues.filters import VenueFilterSet
from marketdata.api.pagination import KeysetPages
from marketdata.api.views import ApiView
from marketdata.web.access import reading


class VenueSerializer(serializers.ModelSerializer[Venue]):
    """A row of the ISO 10383 list."""

    corrections = RecordCorrectionSerializer(
        many=True, read_only=True, help_text="Corrections that apply; none with corrections=off"
    )

    listings = serializers.IntegerField(help_text="loaded listings on the venue, of any status")
    eu_listings = serializers.IntegerField(help_text="listings in the register of ESMA")
    uk_listings = serializers.IntegerField(help_text="listings in the register of the FCA")

    class Meta:
        model = Venue
        fields = (*questions.COLUMNS, "corrections")
        list_serializer_class = CorrectedListSerializer

    def to_representation(self, instance: Venue) -> Any:
        return questions.describe_venue(instance)


class CountrySerializer(serializers.Serializer[Any]):
    """The venues of one country."""

    country = serializers.CharField()
    venues = serializers.IntegerField()
    active = serializers.IntegerField(help_text="venues that have not expired")
    listings = serializers.IntegerField()
    eu_listings = serializers.IntegerField()
    uk_listings = serializers.IntegerField()


class ListedVenueSerializer(serializers.ModelSerializer[ListedVenue]):
    """A MIC with its number of listings."""

    class Meta:
        model = ListedVenue
        fields = questions.LISTED_COLUMNS

    def to_representation(self, instance: ListedVenue) -> Any:
        return questions.describe_listed_venue(instance)


class VenueCountSerializer(serializers.Serializer[Any]):
    """The number of venues with one value."""

    value = serializers.CharField(allow_blank=True)
    venues = serializers.IntegerField()


class StatisticsSerializer(serializers.Serializer[Any]):
    """The list of venues in numbers, and the MICs of listings that it lacks."""

    venues = serializers.IntegerField()
    listed = serializers.IntegerField(help_text="venues of the list with a listing")
    countries = serializers.IntegerField()
    by_status = VenueCountSerializer(many=True)
    by_kind = VenueCountSerializer(many=True)
    by_category = VenueCountSerializer(many=True)
    missing = ListedVenueSerializer(many=True, help_text="MICs of listings that the list lacks")


@extend_schema_view(
    list=extend_schema(
        summary="List, filter and search venues",
        responses={200: VenueSerializer(many=True)},
    ),
    retrieve=extend_schema(
        summary="Get a venue", parameters=[path_parameters.MIC], responses={200: VenueSerializer}
    ),
)
class VenueViewSet(ApiView, viewsets.ReadOnlyModelViewSet[Venue]):
    """Trading venues of the world (ISO 10383), expired ones included."""

    title = "Venues"
    queryset = questions.with_listings()
    needs = dict.fromkeys(
        ("list", "retrieve", "segments", "instruments", "countries", "statistics"),
        reading("instruments.view_venue"),
    )
    query_serializers = {
        "list": CorrectionsSerializer,
        "retrieve": CorrectionsSerializer,
        "segments": CorrectionsSerializer,
        "instruments": RegisterSerializer,
    }
    serializer_class = VenueSerializer
    filterset_class = VenueFilterSet
    lookup_field = "mic"
    lookup_value_regex = "[^/]+"

    def get_object(self) -> Venue:
        """Return the venue; 400 for a malformed MIC, 404 for one that the list of venues lacks."""
        with_corrections = self.get_serializer_context()["with_corrections"]
        return questions.get_venue(self.kwargs["mic"], with_corrections=with_corrections)

    def get_serializer_context(self) -> dict[str, Any]:
        with_corrections = self.query.get("corrections", "on") == "on"
        return {**super().get_serializer_context(), "with_corrections": with_corrections}

    @extend_schema(
        summary="List the market segments of a venue",
        parameters=[path_parameters.MIC],
        responses={200: VenueSerializer(many=True)},
        filters=False,
    )
    @action(detail=True, filterset_class=None)
    def segments(self, request: Request, mic: str) -> Response:
        page: Any = self.paginate_queryset(
            questions.with_listings().segments_of(self.get_object().mic)
        )
        segments = VenueSerializer(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(segments.data)

    @extend_schema(
        summary="List the instruments with a listing on a venue, whatever its status",
        parameters=[path_parameters.MIC],
        responses={200: InstrumentSerializer(many=True)},
        filters=False,
    )
    @action(
        detail=True,
        filterset_class=None,
        pagination_class=KeysetPages,
        serializer_class=InstrumentSerializer,
    )
    def instruments(self, request: Request, mic: str) -> Response:
        listed: QuerySet[Any] = Instrument.objects.traded_on(self.get_object().mic, **self.query)
        page: Any = self.paginate_queryset(listed)
        return self.get_paginated_response(InstrumentSerializer(page, many=True).data)

    @extend_schema(
        summary="Count venues and listings by country",
        responses={200: CountrySerializer(many=True)},
        filters=False,
    )
    @action(detail=False, filterset_class=None, serializer_class=CountrySerializer)
    def countries(self, request: Request) -> Response:
        rows: Any = questions.count_by_country()
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(page)

    @extend_schema(
        summary="Count the rows of the list of venues, and list the MICs that it lacks",
        responses={200: StatisticsSerializer},
        filters=False,
    )
    @action(detail=False, filterset_class=None, pagination_class=None)
    def statistics(self, request: Request) -> Response:
        return Response(questions.get_statistics())
