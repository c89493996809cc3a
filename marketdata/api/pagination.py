"""Pages by number, in the one envelope of all lists."""

import re
from collections.abc import Sequence
from typing import Any, cast

from django.core.paginator import Page
from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from marketdata.common.pages import BoundedPaginator


class NumberedPages(PageNumberPagination):
    """`page` and `per_page` (20, at most 100); `results` and `pagination` in the answer."""

    page_size = 20
    max_page_size = 100
    page_size_query_param = "per_page"
    parameters = {"page", "per_page"}

    def get_page_size(self, request: Request) -> int:
        raw = request.query_params.get("per_page", str(self.page_size))
        if not (re.fullmatch("[0-9]{1,3}", raw) and 1 <= int(raw) <= self.max_page_size):
            raise ValidationError({"per_page": [f"a whole number from 1 to {self.max_page_size}"]})
        return int(raw)

    def get_paginated_response(self, data: Any) -> Response:
        page, request = cast(Page[Any], self.page), cast(Request, self.request)
        return Response(
            {
                "results": data,
                "pagination": {
                    "page": page.number,
                    "per_page": self.get_page_size(request),
                    "total": page.paginator.count,
                    "pages": page.paginator.num_pages,
                    "next": self.get_next_link(),
                    "previous": self.get_previous_link(),
                },
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        number = {"type": "integer"}
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["results", "pagination"],
            "properties": {
                "results": schema,
                "pagination": {
                    "type": "object",
                    "required": ["page", "per_page", "total", "pages", "next", "previous"],
                    "properties": {
                        "page": number,
                        "per_page": number,
                        "total": number,
                        "pages": number,
                        "next": link,
                        "previous": link,
                    },
                },
            },
        }


class BoundedPages(NumberedPages):
    """Of long lists the first 1,000 rows; `total` is no more than that. Filters lead to the others."""

    django_paginator_class = BoundedPaginator
    invalid_page_message = (
        f"There is no such page. Of long lists there are pages up to row {BoundedPaginator.most:,}; filters"
        " lead to the others, and `cursor` where a list has it."
    )


class KeysetPages(BoundedPages):
    """Numbered pages, and `cursor` for whole walks: what comes after a key, nothing counted or skipped.

    So the last page comes as fast as the first. The queryset has `after(key)`, in the order of keys.
    """

    parameters = {*BoundedPages.parameters, "cursor"}
    key_pattern = "[A-Z]{2}[A-Z0-9]{9}[0-9]"

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: Any = None
    ) -> list[Any] | None:
        self._walked_from = request.query_params.get("cursor")
        if self._walked_from is None:
            rows = super().paginate_queryset(queryset, request, view=view) or []
            self._cursor = rows[-1].pk if rows else None
            return rows
        if not re.fullmatch(f"(?:{self.key_pattern})?", self._walked_from):
            raise ValidationError(
                {"cursor": ["the `cursor` of an answer, or nothing at the start"]}
            )
        self.request, size = request, self.get_page_size(request)
        rows = list(cast(Any, queryset).after(self._walked_from)[: size + 1])
        self._cursor = rows[size - 1].pk if len(rows) > size else None
        return rows[:size]

    def get_paginated_response(self, data: Any) -> Response:
        if self._walked_from is None:
            response = super().get_paginated_response(data)
        else:
            request = cast(Request, self.request)
            nothing = dict.fromkeys(("page", "per_page", "total", "pages", "next", "previous"))
            response = Response({"results": data, "pagination": nothing})
            response.data["pagination"]["per_page"] = self.get_page_size(request)
            if self._cursor:
                link = replace_query_param(request.build_absolute_uri(), "cursor", self._cursor)
                response.data["pagination"]["next"] = link
        response.data["pagination"]["cursor"] = self._cursor
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """With a cursor pages have no number, and nothing is counted."""
        whole = super().get_paginated_response_schema(schema)
        pagination = whole["properties"]["pagination"]
        for name in ("page", "total", "pages"):
            pagination["properties"][name] = {"type": ["integer", "null"]}
        pagination["properties"]["cursor"] = {"type": ["string", "null"]}
        pagination["required"].append("cursor")
        return whole

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        said = (
            "For whole walks: empty at the start, then the `cursor` of the last answer, until it is null."
            " Nothing is counted."
        )
        parameter = {"name": "cursor", "required": False, "in": "query", "description": said}
        return [
            *super().get_schema_operation_parameters(view),
            {**parameter, "schema": {"type": "string"}},
        ]
