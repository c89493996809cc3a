"""Pages of lists with the filter `isin`, whose answer also has the outcome for each ISIN."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from instruments.listings import descriptions, lookup
from marketdata.api.pagination import KeysetPages


class LookupPages(KeysetPages):
    """Pages of a list; with the filter `isin`, the answer also has the outcome for each ISIN."""

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        envelope = super().get_paginated_response_schema(schema)
        envelope["properties"]["lookup"] = {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["isin", "status", "reason", "instrument_isin"],
                "properties": {
                    "isin": {"type": "string"},
                    "status": {"enum": [status.value for status in lookup.LookupStatus]},
                    "reason": {"type": ["string", "null"]},
                    "instrument_isin": {"type": ["string", "null"]},
                },
            },
            "description": "The outcome for each ISIN of the filter `isin`. Absent without it",
        }
        return envelope


class ListsOfIsins:
    """Mixin for views of published results: with the filter `isin`, each ISIN has its outcome."""

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        view: Any = super()
        response: Response = view.list(request, *args, **kwargs)
        if isins := ",".join(request.query_params.getlist("isin")):
            matching = self.filter_queryset(self.get_queryset())  # type: ignore[attr-defined]
            results = lookup.look_up_results(isins, matching)
            response.data["lookup"] = [descriptions.describe_lookup(result) for result in results]
        return response
