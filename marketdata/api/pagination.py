"""Pagination of lists: by page number, and by cursor. All lists answer with the same envelope."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from django.core.paginator import Page
from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from marketdata.api.parameters import MAX_NAMES, get_field_names
from marketdata.common.suggestions import describe_unknown
from marketdata.web import pieces, time_limits
from marketdata.web.pages import BoundedPaginator

_NUMBER = {"type": ["integer", "null"]}
_LINK = {"type": ["string", "null"], "format": "uri"}


class NumberedPages(PageNumberPagination):
    """Pages by number: parameters `page`, `per_page` (20, at most 1,000) and `fields`.

    `fields` are names of fields, separated by commas: each row then has only these. The answer has
    `results`, and in `pagination` the page, totals and links. The links are also in the
    header `Link` (RFC 8288).
    """

    page_size = 20
    max_page_size = 1_000
    page_size_query_param = "per_page"
    invalid_page_message = "No such page. See `pages` of the first page for their number."
    parameters = {"page", "per_page", "fields"}
    # Fields that each row keeps whatever `fields` names: the request has asked for them otherwise.
    kept_fields: Sequence[str] = ()

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: Any = None
    ) -> list[Any] | None:
        self._fields = self._read_fields(request, view)
        rows: list[Any] | None = super().paginate_queryset(cast(Any, queryset), request, view=view)
        return rows

    def _read_fields(self, request: Request, view: Any) -> list[str]:
        """Return the names in `fields`; none for all fields. Raises ValidationError for unknown ones."""
        text = request.query_params.get("fields", "")
        names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
        known = self.get_known_fields(view) if names else ()
        if unknown := [name for name in names if name not in known][:MAX_NAMES]:
            messages = [self.describe_unknown_field(name, known) for name in unknown]
            raise ValidationError({"fields": messages})
        return names

    def get_known_fields(self, view: Any) -> Collection[str]:
        """Return the names of the fields of a row, whether or not there are rows."""
        return get_field_names(view.get_serializer_class())

    def describe_unknown_field(self, name: str, known: Collection[str]) -> str:
        return describe_unknown(name, known, "field")

    def get_page_number(self, request: Request, paginator: Any) -> str | int:
        text = str(super().get_page_number(request, paginator))
        if not re.fullmatch("0*[1-9][0-9]*|last", text, re.ASCII):
            raise ValidationError({"page": [f"{text[:50]!r} is not a whole number from 1."]})
        return text

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get("per_page", str(self.page_size))
        if not (re.fullmatch("[0-9]{1,4}", text) and 1 <= int(text) <= self.max_page_size):
            message = f"{text!r} is not a whole number from 1 to {self.max_page_size:,}."
            raise ValidationError({"per_page": [message]})
        return int(text)

    def get_paginated_response(self, data: Any) -> Response:
        names = list(dict.fromkeys([*self._fields, *self.kept_fields]))
        rows = data if not self._fields else [_select(row, names) for row in data]
        pagination = self.describe_pagination()
        links = [
            f'<{pagination[rel]}>; rel="{rel}"' for rel in ("next", "previous") if pagination[rel]
        ]
        headers = {"Link": ", ".join(links)} if links else None
        return Response({"results": rows, "pagination": pagination}, headers=headers)

    def describe_pagination(self) -> dict[str, Any]:
        """Return the object `pagination` of the answer."""
        page = cast(Page[Any], self.page)
        return {
            "page": page.number,
            "per_page": page.paginator.per_page,
            "total": page.paginator.count,
            "pages": page.paginator.num_pages,
            "next": self.get_next_link(),
            "previous": self.get_previous_link(),
        }

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        pagination = self.get_pagination_properties()
        return {
            "type": "object",
            "required": ["results", "pagination"],
            "properties": {
                "results": schema,
                "pagination": {
                    "type": "object",
                    "required": list(pagination),
                    "properties": pagination,
                },
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        description = "Names of fields, separated by commas: each row then has only these"
        parameter = {"name": "fields", "required": False, "in": "query", "description": description}
        numbers: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for number in numbers:
            number["schema"]["minimum"] = 1
            if number["name"] == self.page_size_query_param:
                number["schema"]["maximum"] = self.max_page_size
        return [*numbers, {**parameter, "schema": {"type": "string"}}]

    def get_pagination_properties(self) -> dict[str, Any]:
        """Return the JSON schema of each property of `pagination`."""
        number = {"type": "integer"}
        return {
            "page": number,
            "per_page": number,
            "total": number,
            "pages": number,
            "next": _LINK,
            "previous": _LINK,
        }


def _select(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return a row with some of its fields, in their order; some rows lack a field that is optional."""
    return {name: row[name] for name in names if name in row}


class KeysetPages(NumberedPages):
    """Pages of a list of any length: `next` leads through the whole list, whatever its length.

    The first 1,000 rows also have page numbers. Further on, and with the parameter `cursor`, the links
    have a cursor, the key of the last row read: nothing is counted or skipped, so the last page costs no
    more than the first. A total is exact up to 1,000; else it is null, and `total_at_least` is 1,000, or
    the number of rows up to this page if counting took too long.

    Where a page takes too long because few of many rows match, the answer has those that were found in its
    time, perhaps none, without totals. `next` then leads on from where the time was over.

    The queryset must have the methods that `marketdata.web.pieces` names; `after` raises InvalidQuery for
    what is not a cursor.
    """

    django_paginator_class = BoundedPaginator
    parameters = {*NumberedPages.parameters, "cursor"}
    _after: str | None  # the cursor of the request; "" for a list in pieces from the start

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: Any = None
    ) -> list[Any] | None:
        try:
            with time_limits.limit_part(pieces.get_seconds_left() * pieces.WHOLE):
                return self._paginate_whole(queryset, request, view)
        except time_limits.TimeLimitExceeded:
            if request.query_params.get("page", "1") != "1":  # where pieces don't begin
                raise
        size, after = self.get_page_size(request), request.query_params.get("cursor", "")
        pairs, searched_to = pieces.read_for(
            pieces.get_seconds_left(), [("", queryset)], after, size
        )
        self._after = after
        self._cursor = pairs[size - 1][0] if len(pairs) > size else searched_to or None
        return [row for _, row in pairs[:size]]

    def _paginate_whole(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: Any
    ) -> list[Any]:
        self.request, rows = request, cast(Any, queryset)
        self._fields, size = self._read_fields(request, view), self.get_page_size(request)
        self._after = request.query_params.get("cursor")
        if self._after is None:
            self._refuse_far_page(request, size)
            page = super().paginate_queryset(queryset, request, view=view) or []
            self._cursor = rows.get_cursor(page[-1]) if page and self._is_followed() else None
            return page
        if "page" in request.query_params:
            raise ValidationError({"cursor": ["Pass either `cursor` or `page`."]})
        following = list(rows.after(self._after)[: size + 1])
        self._cursor = rows.get_cursor(following[size - 1]) if len(following) > size else None
        return following[:size]

    def _refuse_far_page(self, request: Request, size: int) -> None:
        text = request.query_params.get("page", "")
        last = BoundedPaginator.max_rows // size
        if re.fullmatch("[0-9]+", text) and (len(text) > 4 or int(text) > last):
            message = (
                f"Pages by number end at row {BoundedPaginator.max_rows:,}, here at page {last}."
                " Follow `next`, or pass `cursor`, to read the whole list."
            )
            raise ValidationError({"page": [message]})

    def _is_followed(self) -> bool:
        page = cast(Page[Any], self.page)
        return page.has_next() or cast(BoundedPaginator, page.paginator).has_more

    def describe_pagination(self) -> dict[str, Any]:
        size, request = self.get_page_size(cast(Request, self.request)), cast(Request, self.request)
        described: dict[str, Any] = {"page": None, "per_page": size, "total": None}
        described |= {"total_at_least": None, "pages": None, "next": None, "previous": None}
        if self._after is None:
            described |= super().describe_pagination()
            page = cast(Page[Any], self.page)
            if cast(BoundedPaginator, page.paginator).has_more:
                described |= {"total": None, "total_at_least": page.paginator.count, "pages": None}
            # The last numbered page may end before the row that pages are numbered to.
            has_numbered_next = page.number < BoundedPaginator.max_rows // size and page.has_next()
        else:
            has_numbered_next = False
        if self._cursor and not has_numbered_next:
            address = remove_query_param(request.build_absolute_uri(), self.page_query_param)
            described["next"] = replace_query_param(address, "cursor", self._cursor)
        return {**described, "cursor": self._cursor}

    def get_pagination_properties(self) -> dict[str, Any]:
        """With a cursor, page number and totals are null."""
        properties = super().get_pagination_properties()
        properties |= {"page": _NUMBER, "total": _NUMBER, "total_at_least": _NUMBER}
        return {**properties, "pages": _NUMBER, "cursor": {"type": ["string", "null"]}}

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
