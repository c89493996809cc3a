"""Exports of instruments."""

import datetime as dt
import functools
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from audit import trail
from instruments.listings import changes, export, export_files, lookup, workbook
from instruments.listings.api.parameters import CorrectionsSerializer
from instruments.listings.api.serializers import InstrumentSerializer
from instruments.listings.filters import InstrumentFilterSet
from instruments.models import Instrument
from instruments.profiles import saving, shapes
from marketdata.api.negotiation import choose_file
from marketdata.api.openapi import file_responses
from marketdata.api.parameters import AnyCaseChoiceField
from marketdata.api.problems import documented
from marketdata.api.views import ApiView
from marketdata.common.errors import InvalidQuery, NotPermitted
from marketdata.web.access import holding

# The permission to export without a limit.
UNLIMITED = "instruments.export_all_instrument"
_PROBLEMS = documented(
    {403: "Your roles do not permit exports, or not of as many rows. Narrow the filters."}
)


class ExportQuerySerializer(CorrectionsSerializer):
    """The form of the file."""

    file = AnyCaseChoiceField(
        choices=list(export_files.FORMATS),
        required=False,
        help_text="Format of the file. Default: by the header Accept, else csv",
    )
    rows = AnyCaseChoiceField(
        choices=list(export.FIELDS),
        default="instruments",
        help_text="One row for each instrument, for each listing, or for each version of a listing,"
        " superseded ones included",
    )
    after = serializers.CharField(
        required=False,
        max_length=12,
        help_text="Only the rows after this ISIN. To continue an export that was broken off, drop the rows of"
        " the last ISIN that was received, and pass the ISIN before it",
    )
    spreadsheet = AnyCaseChoiceField(
        choices=["safe"],
        required=False,
        help_text="safe: put an apostrophe before texts that a spreadsheet program would read as a"
        " formula (CSV only). Default: write all texts as published",
    )

    def get_fields(self) -> dict[str, Any]:
        """Add `fields`, which as an attribute would hide that of the serializer."""
        chosen = serializers.CharField(
            required=False,
            max_length=5_000,
            help_text="Names of fields, separated by commas, or all. Instruments have those of RTS 23 of"
            " their reference listing too. Default: the main columns of instruments, all fields of listings"
            f" and versions. All fields of instruments: {', '.join(export.FIELDS['instruments'])}",
        )
        profile = serializers.CharField(
            required=False,
            max_length=80,
            help_text="An output profile, as vendor or vendor@2, instead of `rows` and `fields`",
        )
        return {**super().get_fields(), "fields": chosen, "profile": profile}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "profile" in attrs and {"rows", "fields"} & set(self.initial_data):
            message = "A profile has rows and fields of its own: pass it alone."
            raise serializers.ValidationError({"profile": [message]})
        return attrs


class ExportView(ApiView, GenericAPIView[Instrument]):
    """All instruments that match the filters, in one file."""

    needs = {"GET": holding("instruments.export_instrument", costly=True)}
    query_serializers = {"GET": ExportQuerySerializer}
    queryset = Instrument.objects.all()
    serializer_class = InstrumentSerializer
    filterset_class = InstrumentFilterSet
    pagination_class = None
    file_types = tuple(export_files.MEDIA_TYPES.values())

    @extend_schema(
        summary="Export instruments or listings as CSV, JSON, NDJSON, XML, Parquet or XLSX",
        filters=True,
        responses=file_responses(file_types) | _PROBLEMS,
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        query = self.query
        shape = None
        if "profile" in query:
            shape = shapes.get_shape(saving.get_profile(query["profile"], parameter="profile"))
            layout = shape.source
        else:
            layout = export.choose(query["rows"], query.get("fields", ""))
        after = lookup.check_isin(query["after"]) if "after" in query else ""
        instruments: Any = self.filter_queryset(self.get_queryset())
        format_ = query.get("file") or choose_file(request, export_files.MEDIA_TYPES)
        if "spreadsheet" in query and format_ not in export_files.SPREADSHEET_FORMATS:
            raise InvalidQuery("spreadsheet", "Only for file=csv.")
        has_more_rows = functools.partial(export.has_more_rows, instruments, layout)
        check_size(request.user, format_, layout.rows, has_more_rows)
        trail.record("instruments.exported", request=request, new=request.query_params.dict())
        content_type, write = export_files.FORMATS[format_]
        with_corrections = query["corrections"] == "on"
        pages = export.read_pages(
            instruments, layout, after=after, with_corrections=with_corrections
        )
        if shape is not None:
            pages, layout = shape.apply(pages), shape.target
        if "spreadsheet" in query:
            pages = export_files.make_spreadsheet_safe(pages)
        name = f"{layout.rows}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}.{format_}"
        return StreamingHttpResponse(
            write(pages, layout),
            content_type=content_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                # The cursor from before the first row is read: later changes are in the feed.
                "Changes-Cursor": str(changes.get_last_cursor()),
            },
        )


def check_size(user: Any, format_: str, rows: str, has_more_rows: Callable[[int], bool]) -> None:
    """Raise NotPermitted or InvalidQuery if an export would have too many rows for the user or the format.

    `rows` names them, and `has_more_rows` tells whether they are more than a number.
    """
    limit = settings.EXPORT_MAX_ROWS
    if not user.has_perm(UNLIMITED) and has_more_rows(limit):
        raise NotPermitted(f"More than EXPORT_MAX_ROWS={limit:,} {rows} match: narrow the filters.")
    limit = workbook.XLSX_MAX_ROWS
    if format_ == "xlsx" and has_more_rows(limit):
        raise InvalidQuery("file", f"A sheet has at most {limit:,} rows. Choose another format.")
