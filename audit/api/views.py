"""/audit/: the trail for admins, in pages and as a file."""

import csv
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit import trail
from audit.models import Event
from marketdata.api.problems import documented
from marketdata.common.access import holding

COLUMNS = ("at", "action", "actor", "via", "address", "object_type", "object_id", "old", "new")
_PAGE = 2_000
_PROBLEMS = documented(
    {
        400: "A parameter cannot be what it says.",
        401: "Sign in first.",
        403: "This is for admins.",
    }
)


class EventSerializer(serializers.ModelSerializer[Event]):
    """One thing done."""

    class Meta:
        model = Event
        fields = COLUMNS


class EventFilterSet(django_filters.FilterSet):
    action = django_filters.CharFilter("action", "startswith", label="as user, or user.created")
    actor = django_filters.CharFilter("actor", label="user name")
    about = django_filters.CharFilter("object_id", "icontains", label="part of what it was done to")
    address = django_filters.CharFilter("address", label="client address")
    since = django_filters.IsoDateTimeFilter("at", "gte", label="from this time on")
    until = django_filters.IsoDateTimeFilter("at", "lt", label="before this time")


class ExportFilterSet(EventFilterSet):
    """The same, and the format of the file, which filters nothing."""

    file = django_filters.ChoiceFilter(
        method="everything", choices=[("csv", "CSV"), ("ndjson", "NDJSON")], label="csv or ndjson"
    )

    def everything(self, events: QuerySet[Event], name: str, value: str) -> QuerySet[Event]:
        return events


class AuditView(generics.ListAPIView[Event]):
    """Who did what, when, from where, to what; the newest first."""

    needs = {"GET": holding("audit.view_event", sensitive=True)}
    queryset = Event.objects.all()
    serializer_class = EventSerializer
    filterset_class = EventFilterSet

    @extend_schema(
        summary="The audit trail", responses={200: EventSerializer(many=True), **_PROBLEMS}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class AuditExportView(generics.GenericAPIView[Event]):
    """The trail as a file, row by row: its length costs no memory."""

    needs = {"GET": holding("audit.view_event", sensitive=True, costly=True)}
    queryset = Event.objects.order_by("at", "pk")
    serializer_class = EventSerializer
    filterset_class = ExportFilterSet

    @extend_schema(
        summary="The audit trail as CSV or NDJSON",
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, "one line an event"),
            (200, "application/x-ndjson"): OpenApiResponse(OpenApiTypes.STR, "one line an event"),
            **_PROBLEMS,
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        rows: QuerySet[Event] = self.filter_queryset(self.get_queryset())
        trail.record("audit.exported", request=request, new=request.query_params.dict())
        form = request.query_params.get("file") or "csv"
        content_type, lines = _LINES[form]
        name = f"audit-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}.{form}"
        return StreamingHttpResponse(
            lines(_paged(rows)),
            content_type=content_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _paged(events: "QuerySet[Event]") -> Iterator[dict[str, Any]]:
    """Rows by a key, a page at a time: SQL Server's driver would fetch all of an open cursor at once."""
    after = Q()
    while page := list(events.filter(after).values("pk", *COLUMNS)[:_PAGE]):
        last = page[-1]
        after = Q(at__gt=last["at"]) | Q(at=last["at"], pk__gt=last["pk"])
        for row in page:
            del row["pk"]
            yield row


class _Line:
    """A file that hands back what csv writes to it."""

    def write(self, line: str) -> str:
        return line


def _as_csv(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(COLUMNS)
    for row in rows:
        yield writer.writerow([_cell(row[name]) for name in COLUMNS])


def _cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula: names are typed by strangers."""
    text = json.dumps(value) if isinstance(value, dict) else _text(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _as_ndjson(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield json.dumps({**row, "at": _text(row["at"])}, ensure_ascii=False) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    return "" if value is None else str(value)


_LINES = {
    "csv": ("text/csv; charset=utf-8", _as_csv),
    "ndjson": ("application/x-ndjson", _as_ndjson),
}
