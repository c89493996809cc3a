"""Pagination of lists: by page number, and by cursor. All lists answer with the same envelope."""

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
    """Pages by number: parameters `page` and `per_page` (20, at most 100).

    The answer has `results`, and in `pagination` the page, totals and links.
    """

    page_size = 20
    max_page_size = 100
    page_size_query_param = "per_page"
    parameters = {"page", "per_page"}

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get("per_page", str(self.page_size))
        if not (re.fullmatch("[0-9]{1,3}", text) and 1 <= int(text) <= self.max_page_size):
            message = f"{text!r} is not a whole number from 1 to {self.max_page_size}."
            raise ValidationError({"per_page": [message]})
        return int(text)

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
    """Pages of the first 1,000 rows of a long list; `total` is at most 1,000."""

    django_paginator_class = BoundedPaginator
    invalid_page_message = (
        f"No such page. Pages end at row {BoundedPaginator.max_rows:,}. Use filters to narrow the list, or"
        " `cursor` where the list has it."
    )


class KeysetPages(BoundedPages):
    """Numbered pages, and the parameter `cursor` to read a whole list.

    A cursor is the key of the last row read. Nothing is counted or skipped, so the last page costs no more
    than the first. The queryset must have a method `after(key)` that returns the rows in the order of keys.
    """

    parameters = {*BoundedPages.parameters, "cursor"}
    key_pattern = "[A-Z]{2}[A-Z0-9]{9}[0-9]"

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: Any = None
    ) -> list[Any] | None:
        self._after_key = request.query_params.get("cursor")
        if self._after_key is None:
            rows = super().paginate_queryset(queryset, request, view=view) or []
            self._cursor = rows[-1].pk if rows else None
            return rows
        if not re.fullmatch(f"(?:{self.key_pattern})?", self._after_key):
            raise ValidationError(
                {
                    "cursor": [
                        "Pass the `cursor` of the previous answer, or an empty value to start."
                    ]
                }
            )
        self.request, size = request, self.get_page_size(request)
        rows = list(cast(Any, queryset).after(self._after_key)[: size + 1])
        self._cursor = rows[size - 1].pk if len(rows) > size else None
        return rows[:size]

    def get_paginated_response(self, data: Any) -> Response:
        if self._after_key is None:
            response = super().get_paginated_response(data)
        else:
            request = cast(Request, self.request)
            pagination: dict[str, Any] = dict.fromkeys(
                ("page", "per_page", "total", "pages", "next", "previous")
            )
            pagination["per_page"] = self.get_page_size(request)
            response = Response({"results": data, "pagination": pagination})
            if self._cursor:
                link = replace_query_param(request.build_absolute_uri(), "cursor", self._cursor)
                response.data["pagination"]["next"] = link
        response.data["pagination"]["cursor"] = self._cursor
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the schema of the envelope; with a cursor, page number and totals are null."""
        envelope = super().get_paginated_response_schema(schema)
        pagination = envelope["properties"]["pagination"]
        for name in ("page", "total", "pages"):
            pagination["properties"][name] = {"type": ["integer", "null"]}
        pagination["properties"]["cursor"] = {"type": ["string", "null"]}
        pagination["required"].append("cursor")
        return envelope

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        description = (
            "To read the whole list: empty at first, then the `cursor` of the previous answer, until it is"
            " null. Totals are not counted."
        )
        parameter = {"name": "cursor", "required": False, "in": "query", "description": description}
        return [
            *super().get_schema_operation_parameters(view),
            {**parameter, "schema": {"type": "string"}},
        ]
