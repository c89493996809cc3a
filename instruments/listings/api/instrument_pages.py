"""Pages of lists of instruments."""

from collections.abc import Collection
from typing import Any

from instruments.listings import facets, included
from instruments.listings.api.lookup_pages import LookupPages


class InstrumentPages(LookupPages):
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
