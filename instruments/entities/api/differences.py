"""Instruments for which FIRDS and GLEIF name different issuers, in the API."""

import datetime as dt
import functools
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from audit import trail
from instruments.entities.descriptions import describe_issuer_difference
from instruments.entities.difference_rows import LAYOUT, read_pages
from instruments.entities.mapped_issuers import DIFFERENCES, Comparison, select_differences
from instruments.listings import export_files
from instruments.listings.api.export import check_size
from instruments.listings.export import has_more
from instruments.listings.filters import InstrumentFilterSet
from instruments.models import Instrument, InstrumentQuerySet
from marketdata.api.negotiation import choose_file
from marketdata.api.openapi import file_responses
from marketdata.api.pagination import KeysetPages
from marketdata.api.parameters import AnyCaseChoiceField, QuerySerializer
from marketdata.api.problems import documented
from marketdata.api.views import ApiView
from marketdata.web.access import holding, reading

EXPORTING = holding("instruments.export_instrument", costly=True)


class DifferencesQuerySerializer(QuerySerializer):
    """The differences that are listed."""

    comparison = serializers.ChoiceField(
        choices=DIFFERENCES,
        required=False,
        help_text="different: another issuer; venue_operator: FIRDS has the operator of the venue, as for"
        " exchange-traded derivatives. Default: both",
    )


class DifferencesExportSerializer(DifferencesQuerySerializer):
    """The differences that are exported, and the form of the file."""

    file = AnyCaseChoiceField(
        choices=list(export_files.FORMATS),
        required=False,
        help_text="Format of the file. Default: by the header Accept, else csv",
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
        differences = _select(self.query)
        page: Any = self.paginate_queryset(self.filter_queryset(differences))
        return self.get_paginated_response(list(map(describe_issuer_difference, page)))


class IssuerDifferencesExportView(ApiView, GenericAPIView[Instrument]):
    """All issuer differences that match the filters, in one file."""

    name = "Export of issuer differences"
    needs = {"GET": EXPORTING}
    query_serializers = {"GET": DifferencesExportSerializer}
    queryset = Instrument.objects.all()
    serializer_class = IssuerDifferenceSerializer
    filterset_class = InstrumentFilterSet
    pagination_class = None
    file_types = tuple(export_files.MEDIA_TYPES.values())

    @extend_schema(
        operation_id="issuer_differences_export",
        summary="Export issuer differences as CSV, JSON, NDJSON, XML, Parquet or XLSX",
        filters=True,
        responses=file_responses(file_types)
        | documented({403: "Your roles do not permit exports, or not of as many rows."}),
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        differences: Any = self.filter_queryset(_select(self.query))
        format_ = self.query.get("file") or choose_file(request, export_files.MEDIA_TYPES)
        has_more_rows = functools.partial(has_more, differences)
        check_size(request.user, format_, "differences", has_more_rows)
        trail.record(
            "instruments.exported",
            about=LAYOUT.rows,
            request=request,
            new=request.query_params.dict(),
        )
        content_type, write = export_files.FORMATS[format_]
        name = f"issuer-differences-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}.{format_}"
        return StreamingHttpResponse(
            write(read_pages(differences), LAYOUT),
            content_type=content_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _select(query: dict[str, Any]) -> InstrumentQuerySet:
    comparison = query.get("comparison")
    return select_differences(Comparison(comparison) if comparison else None)
