"""Derivatives of an underlying, and underlyings of a derivative."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from instruments import path_parameters
from instruments.listings import descriptions, lookup, underlyings
from instruments.listings.api.serializers import DerivativeSerializer, UnderlyingSerializer
from instruments.listings.filters import DerivativeFilterSet
from instruments.models import Instrument, Listing
from marketdata.api.pagination import KeysetPages, NumberedPages
from marketdata.api.views import ApiView
from marketdata.web.access import reading


class DerivativesView(ApiView, GenericAPIView[Instrument]):
    """All instruments that have an instrument or index as an underlying, alone or in a basket."""

    name = "Derivatives"
    needs = {"GET": reading("instruments.view_instrument")}
    queryset = Instrument.objects.all()
    serializer_class = DerivativeSerializer
    filterset_class = DerivativeFilterSet
    pagination_class = KeysetPages

    @extend_schema(
        operation_id="instruments_derivatives_list",
        summary="List the derivatives of an underlying",
        parameters=[path_parameters.IDENTIFIER],
        responses={200: DerivativeSerializer(many=True)},
    )
    def get(self, request: Request, isin: str) -> Response:
        derivatives: Any = self.filter_queryset(
            underlyings.find_derivatives(lookup.resolve_isin(isin))
        )
        page: Any = self.paginate_queryset(derivatives)
        return self.get_paginated_response(descriptions.describe_derivatives(page))


class UnderlyingsView(ApiView, GenericAPIView[Any]):
    """The underlyings of an instrument, with the names of those that are known."""

    name = "Underlyings"
    needs = {"GET": reading("instruments.view_instrument")}
    serializer_class = UnderlyingSerializer
    pagination_class = NumberedPages
    filter_backends = ()

    @extend_schema(
        operation_id="instruments_underlyings_list",
        summary="List the underlyings of an instrument",
        parameters=[path_parameters.IDENTIFIER],
        responses={200: UnderlyingSerializer(many=True)},
    )
    def get(self, request: Request, isin: str) -> Response:
        instrument = lookup.get_instrument(isin)
        named: Any = underlyings.read_underlyings(Listing.objects.of(instrument.isin))
        page: Any = self.paginate_queryset(named)
        rows = [descriptions.describe_underlying(underlying) for underlying in page]
        return self.get_paginated_response(rows)
