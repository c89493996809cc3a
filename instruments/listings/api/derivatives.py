"""What is derived from what, over HTTP: derivatives of an underlying, and underlyings of a derivative."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from instruments.isin import problem_of
from instruments.listings import underlyings
from instruments.listings.api.filters import InstrumentFilterSet
from instruments.listings.api.serializers import InstrumentSerializer
from instruments.models import Instrument, InstrumentQuerySet, Link, Listing, Underlying
from marketdata.api.pagination import BoundedPages, NumberedPages
from marketdata.api.problems import documented
from marketdata.common.access import reading

_ISIN = OpenApiParameter("isin", str, OpenApiParameter.PATH, description="ISIN")
_PROBLEMS = documented(
    {
        404: "Nothing is known of that ISIN, or no such page.",
    }
)


class DerivativeFilterSet(InstrumentFilterSet):
    """The filters of the list, but for the underlying: that is in the path."""

    underlying = None  # django-filter's way to leave a filter out


class _LinkField(serializers.ChoiceField):
    """A link by its word: as `single`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[link.label for link in Link], read_only=True, **options)

    def to_representation(self, value: Any) -> str:
        return str(Link(value).label)


class DerivativeSerializer(InstrumentSerializer):
    """An instrument, and how it names the underlying."""

    link = _LinkField(
        help_text="single, index, rate (of an interest-rate derivative) or basket; the closest of these"
    )

    class Meta(InstrumentSerializer.Meta):
        fields = (*InstrumentSerializer.Meta.fields, "link")
        read_only_fields = fields


class UnderlyingSerializer(serializers.Serializer[underlyings.Named]):
    """One underlying of an instrument."""

    link = _LinkField()
    isin = serializers.CharField(allow_null=True)
    lei = serializers.CharField(allow_null=True, help_text="where the underlying is an issuer")
    name = serializers.CharField(
        allow_null=True, help_text="the instrument's, if it is known here; else as published"
    )
    known = serializers.BooleanField(help_text="whether it is an instrument of the files loaded")
    venues = serializers.ListField(
        child=serializers.CharField(), help_text="MICs of the listings that name it"
    )


def derivatives_of(text: str) -> InstrumentQuerySet:
    """All that has this ISIN as an underlying. Raises ValidationError, NotFound.

    An index need not be an instrument to have derivatives.
    """
    isin = text.upper()
    if problem := problem_of(isin):
        raise exceptions.ValidationError({"isin": [f"{isin}: {problem}."]})
    derived = Underlying.objects.filter(code=isin).exists()
    if not derived and not Instrument.objects.filter(pk=isin).exists():
        raise exceptions.NotFound(f"Nothing of {isin}, or derived from it, is in the files loaded.")
    return Instrument.objects.derived_from(isin)


class DerivativesView(GenericAPIView[Instrument]):
    """Everything that has an instrument, or an index, as an underlying; members of baskets too."""

    name = "Derivatives"
    needs = {"GET": reading("instruments.view_instrument")}
    queryset = Instrument.objects.all()
    serializer_class = DerivativeSerializer
    filterset_class = DerivativeFilterSet
    pagination_class = BoundedPages

    @extend_schema(
        operation_id="instruments_derivatives_list",
        summary="Everything that has it as an underlying",
        parameters=[_ISIN],
        responses={200: DerivativeSerializer(many=True), **_PROBLEMS},
    )
    def get(self, request: Request, isin: str) -> Response:
        found: Any = self.filter_queryset(derivatives_of(isin))
        page: Any = self.paginate_queryset(found)
        return self.get_paginated_response(DerivativeSerializer(page, many=True).data)


class UnderlyingsView(GenericAPIView[Any]):
    """What an instrument is derived from, with the names of what is known."""

    name = "Underlyings"
    needs = {"GET": reading("instruments.view_instrument")}
    serializer_class = UnderlyingSerializer
    pagination_class = NumberedPages
    filter_backends = ()

    @extend_schema(
        operation_id="instruments_underlyings_list",
        summary="What it is derived from",
        parameters=[_ISIN],
        responses={200: UnderlyingSerializer(many=True), **_PROBLEMS},
    )
    def get(self, request: Request, isin: str) -> Response:
        isin = isin.upper()
        if problem := problem_of(isin):
            raise exceptions.ValidationError({"isin": [f"{isin}: {problem}."]})
        if not Instrument.objects.filter(pk=isin).exists():
            raise exceptions.NotFound(f"No instrument with the ISIN {isin} is in the files loaded.")
        named: Any = underlyings.of(Listing.objects.of(isin))
        page: Any = self.paginate_queryset(named)
        return self.get_paginated_response(UnderlyingSerializer(page, many=True).data)
