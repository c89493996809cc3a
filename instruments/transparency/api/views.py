"""Transparency results in the API."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from instruments import path_parameters
from instruments.listings.api.lookup_pages import ListsOfIsins, LookupPages
from instruments.models import Register, SubclassTransparency, TransparencyResult
from instruments.transparency import descriptions
from instruments.transparency.api.serializers import (
    InstrumentTransparencySerializer,
    SubclassTransparencySerializer,
    TransparencyResultSerializer,
)
from instruments.transparency.filters import SubclassFilterSet, TransparencyFilterSet
from instruments.transparency.questions import get_transparency
from marketdata.api.pagination import KeysetPages
from marketdata.api.parameters import AnyCaseChoiceField, QuerySerializer
from marketdata.api.views import ApiView
from marketdata.web.access import reading


class TransparencyPages(LookupPages):
    """Pages of results by ISIN."""

    schema_name = "TransparencyListWithLookup"


@extend_schema_view(
    list=extend_schema(
        summary="List and filter transparency results by ISIN",
        responses={200: TransparencyResultSerializer(many=True)},
    )
)
class TransparencyViewSet(
    ListsOfIsins, ApiView, mixins.ListModelMixin, viewsets.GenericViewSet[TransparencyResult]
):
    """Liquidity, thresholds and turnover by ISIN, as published (FITRS)."""

    title = "Transparency"
    queryset = (
        TransparencyResult.objects.published().select_related("source_file").order_by("isin", "pk")
    )
    needs = {"list": reading("instruments.view_transparencyresult")}
    serializer_class = TransparencyResultSerializer
    filterset_class = TransparencyFilterSet
    pagination_class = TransparencyPages


@extend_schema_view(
    list=extend_schema(
        summary="List and filter transparency results by sub-class",
        responses={200: SubclassTransparencySerializer(many=True)},
    )
)
class SubclassTransparencyViewSet(
    ApiView, mixins.ListModelMixin, viewsets.GenericViewSet[SubclassTransparency]
):
    """Liquidity and thresholds by sub-class of non-equity instruments, as published (FITRS)."""

    title = "Transparency of sub-classes"
    queryset = (
        SubclassTransparency.objects.published()
        .select_related("source_file")
        .order_by("asset_class", "pk")
    )
    needs = {"list": reading("instruments.view_subclasstransparency")}
    serializer_class = SubclassTransparencySerializer
    filterset_class = SubclassFilterSet
    pagination_class = KeysetPages


class TransparencyQuerySerializer(QuerySerializer):
    """The day of the question, the day of knowledge, and the register."""

    on = serializers.DateField(
        required=False, help_text="The day to answer for. Default: today (UTC)"
    )
    known_on = serializers.DateField(
        required=False, help_text="Use only what had been published by the end of this day"
    )
    register = AnyCaseChoiceField(
        choices=Register.choices,
        default=Register.ESMA,
        help_text="The authority whose results apply: ESMA (EU) or FCA (UK). Default: ESMA",
    )


class InstrumentTransparencyView(ApiView):
    """The transparency of one instrument: the results that apply on a day, and all current ones."""

    name = "Transparency"
    needs = {"GET": reading("instruments.view_transparencyresult")}
    query_serializers = {"GET": TransparencyQuerySerializer}

    @extend_schema(
        summary="List the results that apply to an instrument on a day, and all current ones",
        parameters=[path_parameters.ISIN],
        responses={200: InstrumentTransparencySerializer},
    )
    def get(self, request: Request, isin: str) -> Response:
        return Response(descriptions.describe_transparency(get_transparency(isin, **self.query)))
