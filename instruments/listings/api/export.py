"""Exports of instruments."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from audit import trail
from instruments.listings import changes, export
from instruments.listings.api.parameters import AnyCaseChoiceField, CorrectionsSerializer
from instruments.listings.api.serializers import InstrumentSerializer
from instruments.listings.filters import InstrumentFilterSet
from instruments.models import Instrument
from marketdata.api.problems import documented
from marketdata.api.views import ApiView
from marketdata.common.access import holding
from marketdata.common.errors import NotPermitted

# The permission to export without a limit.
UNLIMITED = "instruments.export_all_instrument"
_PROBLEMS = documented(
    {403: "Your roles do not permit exports, or not of as many rows. Narrow the filters."}
)


class ExportQuerySerializer(CorrectionsSerializer):
    """The form of the file."""

    file = AnyCaseChoiceField(
        choices=list(export.FORMATS), default="csv", help_text="Format of the file"
    )
    spreadsheet = AnyCaseChoiceField(
        choices=["safe"],
        required=False,
        help_text="safe: put an apostrophe before texts that a spreadsheet program would read as a"
        " formula (CSV only). Default: write all texts as published",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "spreadsheet" in attrs and attrs["file"] not in export.SPREADSHEET_FORMATS:
            raise serializers.ValidationError({"spreadsheet": ["Only for file=csv."]})
        return attrs


class ExportView(ApiView, GenericAPIView[Instrument]):
    """All instruments that match the filters, in one file."""

    needs = {"GET": holding("instruments.export_instrument", costly=True)}
    query_serializers = {"GET": ExportQuerySerializer}
    queryset = Instrument.objects.all()
    serializer_class = InstrumentSerializer
    filterset_class = InstrumentFilterSet
    pagination_class = None

    @extend_schema(
        summary="Export instruments as CSV, NDJSON or Parquet",
        responses={
            (200, media.partition(";")[0]): OpenApiResponse(OpenApiTypes.BINARY, "The file")
            for media, _ in export.FORMATS.values()
        }
        | _PROBLEMS,
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        query = self.query
        instruments: Any = self.filter_queryset(self.get_queryset())
        limit = settings.EXPORT_MAX_ROWS
        is_unlimited = request.user.has_perm(UNLIMITED)
        if not is_unlimited and instruments.order_by()[limit : limit + 1].exists():
            raise NotPermitted(
                f"More than EXPORT_MAX_ROWS={limit:,} instruments match: narrow the filters."
            )
        trail.record("instruments.exported", request=request, new=request.query_params.dict())
        format_ = query["file"]
        content_type, write = export.FORMATS[format_]
        pages = export.read_pages(instruments, with_corrections=query["corrections"] == "on")
        if "spreadsheet" in query:
            pages = export.make_spreadsheet_safe(pages)
        name = f"instruments-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}.{format_}"
        return StreamingHttpResponse(
            write(pages),
            content_type=content_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                # The cursor from before the first row is read: later changes are in the feed.
                "Changes-Cursor": str(changes.get_last_cursor()),
            },
        )
