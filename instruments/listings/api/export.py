"""Instruments as a file over HTTP."""

import datetime as dt
from typing import Any

import django_filters
from django.conf import settings
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import exceptions
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from audit import trail
from instruments.listings import changes, export
from instruments.listings.api.filters import InstrumentFilterSet
from instruments.listings.api.serializers import InstrumentSerializer
from instruments.models import Instrument
from marketdata.api.problems import documented
from marketdata.common.access import holding

# Who holds this may export without a limit.
UNLIMITED = "instruments.export_all_instrument"
_PROBLEMS = documented(
    {
        403: "Your roles do not include exports, or not of so many rows.",
    }
)


class ExportFilterSet(InstrumentFilterSet):
    """The filters of the list, and the form of the file."""

    file = django_filters.ChoiceFilter(
        method="filter_file",
        choices=[(form, form) for form in export.FORMS],
        empty_label=None,
        label="csv (the default), ndjson or parquet",
    )

    def filter_file(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset


class ExportView(GenericAPIView[Instrument]):
    """Every instrument that a filter finds, in one file."""

    needs = {"GET": holding("instruments.export_instrument", costly=True)}
    queryset = Instrument.objects.all()
    serializer_class = InstrumentSerializer
    filterset_class = ExportFilterSet

    @extend_schema(
        summary="Instruments as CSV, NDJSON or Parquet",
        responses={
            (200, media.partition(";")[0]): OpenApiResponse(OpenApiTypes.BINARY, "the file")
            for media, _ in export.FORMS.values()
        }
        | _PROBLEMS,
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        found: Any = self.filter_queryset(self.get_queryset())
        most = settings.EXPORT_MAX_ROWS
        if not request.user.has_perm(UNLIMITED) and found.order_by()[most : most + 1].exists():
            raise exceptions.PermissionDenied(
                f"More than EXPORT_MAX_ROWS={most:,} instruments: narrow the filter."
            )
        trail.record("instruments.exported", request=request, new=request.query_params.dict())
        form = request.query_params.get("file") or "csv"
        content_type, written = export.FORMS[form]
        name = f"instruments-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}.{form}"
        return StreamingHttpResponse(
            written(export.pages(found)),
            content_type=content_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                # Of the time before the first row is read: what changes meanwhile is in the feed.
                "Changes-Cursor": str(changes.latest()),
            },
        )
