"""/audit/: the audit trail for admins, in pages and as a file."""

import csv
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit import trail
from audit.models import Event
from marketdata.api.negotiation import choose_file
from marketdata.api.no_store import NoStore
from marketdata.api.problems import documented
from marketdata.common.filters import AnyCaseChoiceFilter, TimeFilter
from marketdata.web.access import holding

COLUMNS = ("at", "action", "actor", "via", "address", "object_type", "object_id", "old", "new")
_PAGE_SIZE = 2_000
_VALUES = {"type": ["object", "null"], "additionalProperties": True}
_PROBLEMS = documented(
    {
        403: "For admins only, from SENSITIVE_NETWORKS.",
    }
)


class EventSerializer(serializers.ModelSerializer[Event]):
    """An event of the audit trail."""

    old = serializers.SerializerMethodField(help_text="Values before the action, or null.")
    new = serializers.SerializerMethodField(help_text="Values after the action, or null.")

    class Meta:
        model = Event
        fields = COLUMNS

    @extend_schema_field(_VALUES)
    def get_old(self, event: Event) -> Any:
        return event.old

    @extend_schema_field(_VALUES)
    def get_new(self, event: Event) -> Any:
        return event.new


class EventFilterSet(django_filters.FilterSet):
    action = django_filters.CharFilter(
        "action", "startswith", label="Action or its beginning, as in user or user.created."
    )
    actor = django_filters.CharFilter("actor", label="User name.")
    object_id = django_filters.CharFilter(
        "object_id", "icontains", label="Part of the object's name."
    )
    address = django_filters.CharFilter("address", label="IP address of the client.")
    since = TimeFilter("at", "gte", label="Events at or after this time.")
    until = TimeFilter("at", "lt", label="Events before this time.")


class ExportFilterSet(EventFilterSet):
    """The same filters, and the format of the file."""

    file = AnyCaseChoiceFilter(
        method="ignore",
        choices=[("csv", "CSV"), ("ndjson", "NDJSON")],
        label="Format of the file: by default that of the header Accept, else CSV",
    )

    def ignore(self, events: QuerySet[Event], name: str, value: str) -> QuerySet[Event]:
        """Return all events: the format does not filter."""
        return events


class AuditView(NoStore, generics.ListAPIView[Event]):
    """Events of the audit trail, newest first."""

    needs = {"GET": holding("audit.view_event", sensitive=True)}
    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilterSet

    @extend_schema(
        summary="List audit events", responses={200: EventSerializer(many=True), **_PROBLEMS}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class AuditExportView(NoStore, generics.GenericAPIView[Event]):
    """The audit trail as a file, oldest event first. It is streamed, so its length is not limited."""

    needs = {"GET": holding("audit.view_event", sensitive=True, costly=True)}
    queryset = Event.objects.order_by("at", "pk")
    serializer_class = EventSerializer
    filterset_class = ExportFilterSet
    pagination_class = None
    file_types = ("text/csv", "application/x-ndjson")

    @extend_schema(
        summary="Export audit events as CSV or NDJSON",
        filters=True,
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, "One line per event."),
            (200, "application/x-ndjson"): OpenApiResponse(OpenApiTypes.STR, "One line per event."),
            **_PROBLEMS,
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        events: QuerySet[Event] = self.filter_queryset(self.get_queryset())
        trail.record("audit.exported", request=request, new=request.query_params.dict())
        media_types = {name: media for name, (media, _) in _FORMATS.items()}
        chosen = request.query_params.get("file", "").strip().casefold()
        file_format = chosen or choose_file(request, media_types)
        content_type, write_lines = _FORMATS[file_format]
        name = f"audit-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}.{file_format}"
        return StreamingHttpResponse(
            write_lines(_rows(events)),
            content_type=content_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _rows(events: "QuerySet[Event]") -> Iterator[dict[str, Any]]:
    """Yield the events in pages by key, since SQL Server's driver would fetch an open cursor at once."""
    after = Q()
    while page := list(events.filter(after).values("pk", *COLUMNS)[:_PAGE_SIZE]):
        last = page[-1]
        after = Q(at__gt=last["at"]) | Q(at=last["at"], pk__gt=last["pk"])
        for row in page:
            del row["pk"]
            yield row


class _Echo:
    """A file whose `write` returns the line, so that the CSV writer can be used as a generator."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for row in rows:
        yield writer.writerow([_csv_cell(row[name]) for name in COLUMNS])


def _csv_cell(value: Any) -> str:
    """Return the text of a cell, escaped if a spreadsheet would take it for a formula.

    User names of failed sign-ins are typed by strangers.
    """
    text = json.dumps(value) if isinstance(value, dict) else _text(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _ndjson_lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield json.dumps({**row, "at": _text(row["at"])}, ensure_ascii=False) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    return "" if value is None else str(value)


_FORMATS = {
    "csv": ("text/csv; charset=utf-8", _csv_lines),
    "ndjson": ("application/x-ndjson", _ndjson_lines),
}
