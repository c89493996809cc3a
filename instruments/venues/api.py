"""Trading venues over HTTP."""

import re
from typing import Any

import django_filters
from django.core.validators import RegexValidator
from django.db.models import (
    Count,
    Exists,
    F,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
)
from django.db.models.functions import Coalesce
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import exceptions, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from instruments.listings.api.serializers import InstrumentSerializer, RegisterSerializer
from instruments.models import Instrument, ListedVenue, Register, Venue, VenueQuerySet
from marketdata.api.filters import CodeFilter, TruthFilter
from marketdata.api.pagination import KeysetPages
from marketdata.api.problems import documented
from marketdata.common.access import reading

_MIC = OpenApiParameter("mic", str, OpenApiParameter.PATH, description="market identifier code")
_PROBLEMS = documented(
    {
        400: "A parameter cannot be what it says.",
        401: "Reading needs a sign-in here.",
        403: "Your roles do not include reading.",
        404: "No such venue in the list, or page.",
    }
)


_COUNTS = ("listings", *(register.counted_in for register in Register))


def with_listings() -> VenueQuerySet:
    """Venues with the number of their listings in all and in each register, as loads have counted it."""
    counted = ListedVenue.objects.filter(pk=OuterRef("pk")).order_by()
    return Venue.objects.annotate(
        **{
            name: Coalesce(Subquery(counted.values(name), output_field=IntegerField()), 0)
            for name in _COUNTS
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
    operating_mic = CodeFilter(
        validators=[_code("[A-Z0-9]{4}", "A MIC has four letters or digits.")],
        label="MIC of the operator's venue: its segments, and itself",
    )
    lei = CodeFilter(
        validators=[_code("[A-Z0-9]{20}", "A LEI has 20 letters and digits.")],
        label="LEI of the operator",
    )
    listed = TruthFilter(
        method="filter_listed", label="Whether listings in the files loaded use it"
    )
    register = django_filters.ChoiceFilter(
        method="filter_register",
        choices=Register.choices,
        label="Register with a listing on it: ESMA (EU) or FCA (UK)",
    )
    q = django_filters.CharFilter(
        max_length=100,
        method="filter_q",
        label="A MIC, or words of name, acronym, operator or city",
    )

    class Meta:
        model = Venue
        fields: list[str] = []

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

    listings = serializers.IntegerField(help_text="listings of the files loaded, of any status")
    eu_listings = serializers.IntegerField(help_text="those in the register of ESMA")
    uk_listings = serializers.IntegerField(help_text="those in the register of the FCA")

    class Meta:
        model = Venue
        fields = "__all__"


class CountrySerializer(serializers.Serializer[Any]):
    """The venues of one country."""

    country = serializers.CharField()
    venues = serializers.IntegerField()
    active = serializers.IntegerField(help_text="those that have not expired")
    listings = serializers.IntegerField()
    eu_listings = serializers.IntegerField()
    uk_listings = serializers.IntegerField()


class ListedVenueSerializer(serializers.ModelSerializer[ListedVenue]):
    """A MIC that listings use."""

    class Meta:
        model = ListedVenue
        fields = ("mic", *_COUNTS)


class VenueCountSerializer(serializers.Serializer[Any]):
    """How many venues have one value."""

    value = serializers.CharField(allow_blank=True)
    venues = serializers.IntegerField()


class StatisticsSerializer(serializers.Serializer[Any]):
    """The list in numbers, and the MICs that it lacks."""

    venues = serializers.IntegerField()
    listed = serializers.IntegerField(help_text="venues of the list that listings use")
    countries = serializers.IntegerField()
    by_status = VenueCountSerializer(many=True)
    by_kind = VenueCountSerializer(many=True)
    by_category = VenueCountSerializer(many=True)
    missing = ListedVenueSerializer(many=True, help_text="MICs of listings that the list lacks")


def _summed(listed: QuerySet[ListedVenue], name: str) -> Coalesce:
    total = Func(F(name), function="SUM", output_field=IntegerField())
    return Coalesce(Subquery(listed.annotate(total=total).values("total")), 0)


def countries() -> QuerySet[Any]:
    """Venues and listings by country. SQL Server sums no subqueries, so a subquery is what sums."""
    there = Venue.objects.filter(country=OuterRef(OuterRef("country"))).order_by()
    listed = ListedVenue.objects.filter(pk__in=there.values("pk")).order_by()
    counted = {name: _summed(listed, name) for name in _COUNTS}
    gone = Q(status__in=("EXPIRED", "DELETED"))
    return (
        Venue.objects.order_by("country")
        .values("country")
        .annotate(venues=Count("pk"), active=Count("pk", filter=~gone), **counted)
    )


def statistics() -> dict[str, Any]:
    """What `StatisticsSerializer` shows, in seven queries."""

    def by(column: str) -> Any:
        counted = Venue.objects.order_by(column).values(column).annotate(venues=Count("pk"))
        return [{"value": row[column], "venues": row["venues"]} for row in counted]

    venues = Venue.objects.all()
    return {
        "venues": venues.count(),
        "listed": venues.filter(Exists(ListedVenue.objects.filter(pk=OuterRef("pk")))).count(),
        "countries": venues.order_by().values("country").distinct().count(),
        "by_status": by("status"),
        "by_kind": by("kind"),
        "by_category": by("category"),
        "missing": ListedVenue.objects.missing(),
    }


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
        """The venue; a 400 says what is wrong with a MIC, a 404 whether listings use it all the same."""
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
        asked = RegisterSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found: QuerySet[Any] = Instrument.objects.traded_on(
            self.get_object().mic, **asked.validated_data
        )
        page: Any = self.paginate_queryset(found)
        return self.get_paginated_response(InstrumentSerializer(page, many=True).data)

    @extend_schema(
        summary="Venues and listings by country",
        responses={200: CountrySerializer(many=True), **_PROBLEMS},
        filters=False,
    )
    @action(detail=False, filterset_class=None)
    def countries(self, request: Request) -> Response:
        page: Any = self.paginate_queryset(countries())
        return self.get_paginated_response(CountrySerializer(page, many=True).data)

    @extend_schema(
        summary="The list in numbers, and the MICs that it lacks",
        responses={200: StatisticsSerializer, **_PROBLEMS},
        filters=False,
    )
    @action(detail=False, filterset_class=None, pagination_class=None)
    def statistics(self, request: Request) -> Response:
        return Response(StatisticsSerializer(statistics()).data)


def venue_of(text: str) -> Venue:
    """The venue of a MIC in any case. Raises ValidationError, NotFound."""
    mic = text.upper()
    if not re.fullmatch("[A-Z0-9]{4}", mic):
        raise exceptions.ValidationError({"mic": [f"{mic}: a MIC has four letters or digits."]})
    found = with_listings().filter(pk=mic).first()
    if found is None:
        used = ListedVenue.objects.filter(pk=mic).first()
        hint = f", though {used.listings:,} listings use it" if used else ""
        raise exceptions.NotFound(f"The ISO 10383 list that is loaded has no {mic}{hint}.")
    return found
