"""Pages of lists of instruments."""

from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request

from instruments.listings import facets, included, pieces
from instruments.listings.api.lookup_pages import LookupPages
from marketdata.api.pagination import KeysetPages
from marketdata.web import time_limits


class PagesInPieces(KeysetPages):
    """Pages of instruments in any order and with any filters.

    Where a page takes too long because few of many instruments match, the answer has those that were found
    in its time, perhaps none, without totals. `next` then leads on from where the time was over.
    """

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: Any = None
    ) -> list[Any] | None:
        try:
            with time_limits.limit_part(pieces.get_seconds_left() * pieces.WHOLE):
                return super().paginate_queryset(queryset, request, view=view)
        except time_limits.TimeLimitExceeded:
            if request.query_params.get("page", "1") != "1":  # where pieces don't begin
                raise
        size, self._after = self.get_page_size(request), request.query_params.get("cursor", "")
        parts: Any = [("", queryset)]
        pairs, searched_to = pieces.read_for(pieces.get_seconds_left(), parts, self._after, size)
        self._cursor = pairs[size - 1][0] if len(pairs) > size else searched_to or None
        return [row for _, row in pairs[:size]]


class InstrumentPages(PagesInPieces, LookupPages):
    """Pages of the list of instruments, whose answer also has outcomes of a look-up, and facets."""

    schema_name = "InstrumentListWithLookup"

    def get_known_fields(self, view: Any) -> Collection[str]:
        """Return the fields of an instrument, and the parts that the request includes."""
        return (set(super().get_known_fields(view)) - set(included.PARTS)) | set(self.kept_fields)

    def describe_unknown_field(self, name: str, known: Collection[str]) -> str:
        if name in included.PARTS:
            return f"{name!r} is a part, which include={name} adds."
        return super().describe_unknown_field(name, known)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        envelope = super().get_paginated_response_schema(schema)
        properties = dict.fromkeys(facets.FACETS, _FACET)
        envelope["properties"]["facets"] = {
            "type": "object",
            "properties": properties,
            "description": "The counts that the parameter `facets` asks for. Absent without it",
        }
        return envelope


_FACET = {
    "type": "object",
    "required": ["values", "others", "is_exact", "counted_on"],
    "properties": {
        "values": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["value", "count"],
                "properties": {"value": {"type": "string"}, "count": {"type": "integer"}},
            },
            "description": "The most frequent values first; empty for instruments without a value",
        },
        "others": {"type": "integer", "description": "Instruments with values that are not shown"},
        "is_exact": {
            "type": "boolean",
            "description": f"false: lower bounds, counted among {facets.COUNTED:,} instruments",
        },
        "counted_on": {
            "type": ["string", "null"],
            "format": "date",
            "description": "The day of counts that are made by night; null for counts of the answer",
        },
    },
}
