"""Instruments for which FIRDS and GLEIF name different issuers, in the API."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from instruments.entities.descriptions import describe_issuer_difference
from instruments.entities.mapped_issuers import DIFFERENCES, Comparison, select_differences
from instruments.listings.filters import InstrumentFilterSet
from instruments.models import Instrument
from marketdata.api.pagination import KeysetPages
from marketdata.api.parameters import QuerySerializer
from marketdata.api.views import ApiView
from marketdata.web.access import reading


class DifferencesQuerySerializer(QuerySerializer):
    """The differences that are listed."""

    comparison = serializers.ChoiceField(
        choices=DIFFERENCES,
        required=False,
        help_text="different: another issuer; venue_operator: FIRDS has the operator of the venue, as for"
        " exchange-traded derivatives. Default: both",
    )


class IssuerDifferenceSerializer(serializers.ModelSerializer[Instrument]):
    """An instrument with the LEI that FIRDS publishes, and that of GLEIF's ISIN-LEI file."""

    comparison = serializers.ChoiceField(choices=DIFFERENCES)
    published_lei = serializers.CharField(
        source="issuer_lei", help_text="RTS 23 field 5: issuer or operator of the trading venue"
    )
    published_name = serializers.CharField(
        allow_null=True, help_text="Its legal name; null if no record of the LEI is loaded"
    )
    gleif_lei = serializers.CharField(help_text="LEI of the issuer by GLEIF")
    gleif_name = serializers.CharField(
        allow_null=True, help_text="Its legal name; null if no record of the LEI is loaded"
    )

    class Meta:
        model = Instrument
        fields = (
            "isin",
            "full_name",
            "cfi_code",
            "status",
            "comparison",
            "published_lei",
            "published_name",
            "gleif_lei",
            "gleif_name",
        )
        read_only_fields = fields


class IssuerDifferencesView(ApiView, GenericAPIView[Instrument]):
    """Instruments for which FIRDS and GLEIF's ISIN-LEI file have different LEIs, by ISIN."""

    name = "Issuer differences"
    needs = {"GET": reading("instruments.view_mappedissuer")}
    query_serializers = {"GET": DifferencesQuerySerializer}
    queryset = Instrument.objects.all()
    serializer_class = IssuerDifferenceSerializer
    filterset_class = InstrumentFilterSet
    pagination_class = KeysetPages

    @extend_schema(
        operation_id="issuer_differences_list",
        summary="List instruments for which FIRDS and GLEIF have different issuers",
        responses={200: IssuerDifferenceSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        comparison = self.query.get("comparison")
        differences = select_differences(Comparison(comparison) if comparison else None)
        page: Any = self.paginate_queryset(self.filter_queryset(differences))
        return self.get_paginated_response(list(map(describe_issuer_difference, page)))
