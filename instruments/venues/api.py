"""Trading venues in the API."""

import re
from typing import Any

import django_filters
from django.core.validators import RegexValidator
from django.db.models import Exists, OuterRef, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from instruments.listings.api.parameters import RegisterSerializer
from instruments.listings.api.serializers import InstrumentSerializer
from instruments.models import Instrument, ListedVenue, Register, Venue, VenueQuerySet
from instruments.venues.questions import (
    COUNTS,
    countries,
    statistics,
    venue_of,
    with_listings,
)
from marketdata.api.pagination import KeysetPages, NumberedPages
from marketdata.api.problems import documented
from marketdata.common.access import reading
from marketdata.common.filters import CodeFilter, TrueFalseFilter

_MIC = OpenApiParameter("mic", str, OpenApiParameter.PATH, description="market identifier code")
_PROBLEMS = documented(
    {
        404: "The list of venues has no such MIC, or there is no such page.",
    }
)


def _code(pattern: str, message: str) -> RegexValidator:
    return RegexValidator(f"^(?:{pattern})$", message, flags=re.IGNORECASE)


class VenueFilterSet(django_filters.FilterSet):
    country = CodeFilter(
        validators=[_code("[A-Z]{2}", "A country code has two letters.")],
        label="Country, as DE (ISO 3166)",
    )
    status = CodeFilter(
        validators=[_code("[A-Z]{1,10}", "A status is one word.")],
        label="Status, as ACTIVE or EXPIRED",
    )
    category = CodeFilter(
        validators=[_code("[A-Z]{4}", "A market category has four letters.")],
        label="Market category, as RMKT (regulated market), MLTF, OTFS or SINT",
    )
    kind = CodeFilter(
        validators=[_code("OPRT|SGMT", "OPRT or SGMT.")], label="OPRT (operating) or SGMT (segment)"
    )
    mic = CodeFilter(
        method="filter_mic",
        validators=[_code("[A-Z0-9]{4}", "A MIC has four letters or digits.")],
        label="MIC: the venue, and for an operating MIC its market segments too",
    )
    mic_exact = CodeFilter(
        field_name="mic",
        validators=[_code("[A-Z0-9]{4}", "A MIC has four letters or digits.")],
        label="MIC: this venue only",
    )
    operating_mic = CodeFilter(
        validators=[_code("[A-Z0-9]{4}", "A MIC has four letters or digits.")],
        label="Operating MIC: its market segments, and itself",
    )
    lei = CodeFilter(
        validators=[_code("[A-Z0-9]{20}", "A LEI has 20 letters and digits.")],
        label="LEI of the operator",
    )
    listed = TrueFalseFilter(
        method="filter_listed", label="true: venues that a loaded listing names; false: the others"
    )
    register = django_filters.ChoiceFilter(
        method="filter_register",
        choices=Register.choices,
        label="Venues with a listing in this register: ESMA (EU) or FCA (UK)",
    )
    q = django_filters.CharFilter(
        max_length=100,
        method="filter_q",
        label="MIC, or words of name, acronym, operator or city",
    )

    class Meta:
        model = Venue
        fields: list[str] = []

    def filter_mic(self, queryset: VenueQuerySet, name: str, value: str) -> VenueQuerySet:
        return queryset.at(value.upper())

    def filter_listed(self, queryset: VenueQuerySet, name: str, value: bool) -> VenueQuerySet:
        listed = Exists(ListedVenue.objects.filter(pk=OuterRef("pk")))
        return queryset.filter(listed if value else ~listed)

    def filter_register(self, queryset: VenueQuerySet, name: str, value: str) -> VenueQuerySet:
        counted = {f"{Register(value).counted_in}__gt": 0}
        return queryset.filter(Exists(ListedVenue.objects.filter(pk=OuterRef("pk"), **counted)))

    def filter_q(self, queryset: VenueQuerySet, name: str, value: str) -> VenueQuerySet:
        return queryset.search(value)


class VenueSerializer(serializers.ModelSerializer[Venue]):
    """A row of the ISO 10383 list."""

    listings = serializers.IntegerField(help_text="loaded listings on the venue, of any status")
    eu_listings = serializers.IntegerField(help_text="listings in the register of ESMA")
    uk_listings = serializers.IntegerField(help_text="listings in the register of the FCA")

    class Meta:
        model = Venue
        fields = "__all__"


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
        fields = ("mic", *COUNTS)


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
        responses={200: VenueSerializer(many=True), **_PROBLEMS},
    ),
    retrieve=extend_schema(
        summary="One venue", parameters=[_MIC], responses={200: VenueSerializer, **_PROBLEMS}
    ),
)
class VenueViewSet(viewsets.ReadOnlyModelViewSet[Venue]):
    """Trading venues of the world (ISO 10383), expired ones included."""

    title = "Venues"
    queryset = with_listings()
    needs = dict.fromkeys(
        ("list", "retrieve", "segments", "instruments", "countries", "statistics"),
        reading("instruments.view_venue"),
    )
    serializer_class = VenueSerializer
    filterset_class = VenueFilterSet
    lookup_field = "mic"
    lookup_value_regex = "[^/]+"

    def get_object(self) -> Venue:
        """Return the venue; 400 for a malformed MIC, 404 for one that the list of venues lacks."""
        return venue_of(self.kwargs["mic"])

    @extend_schema(
        summary="The segments of a venue",
        parameters=[_MIC],
        responses={200: VenueSerializer(many=True), **_PROBLEMS},
        filters=False,
    )
    @action(detail=True, filterset_class=None)
    def segments(self, request: Request, mic: str) -> Response:
        page: Any = self.paginate_queryset(with_listings().segments_of(self.get_object().mic))
        return self.get_paginated_response(VenueSerializer(page, many=True).data)

    @extend_schema(
        summary="The instruments with a listing on a venue, whatever its status",
        parameters=[_MIC, RegisterSerializer],
        responses={200: InstrumentSerializer(many=True), **_PROBLEMS},
        filters=False,
    )
    @action(detail=True, filterset_class=None, pagination_class=KeysetPages)
    def instruments(self, request: Request, mic: str) -> Response:
        question = RegisterSerializer(data=request.query_params)
        question.is_valid(raise_exception=True)
        listed: QuerySet[Any] = Instrument.objects.traded_on(
            self.get_object().mic, **question.validated_data
        )
        page: Any = self.paginate_queryset(listed)
        return self.get_paginated_response(InstrumentSerializer(page, many=True).data)

    @extend_schema(
        summary="Venues and listings by country",
        responses={200: CountrySerializer(many=True), **_PROBLEMS},
        filters=False,
    )
    @action(detail=False, filterset_class=None, pagination_class=NumberedPages)
    def countries(self, request: Request) -> Response:
        rows: Any = countries()
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(CountrySerializer(page, many=True).data)

    @extend_schema(
        summary="The list in numbers, and the MICs that it lacks",
        responses={200: StatisticsSerializer, **_PROBLEMS},
        filters=False,
    )
    @action(detail=False, filterset_class=None, pagination_class=None)
    def statistics(self, request: Request) -> Response:
        return Response(StatisticsSerializer(statistics()).data)
