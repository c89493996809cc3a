"""Pages by number, in the one envelope of all lists."""

import re
from typing import Any, cast

from django.core.paginator import Page
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

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
    """Of long lists the first 10,000 rows; `total` is no more than that. Filters lead to the others."""

    django_paginator_class = BoundedPaginator
