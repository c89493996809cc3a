"""Pages of CFI codes: the table of ISO 10962, a part of it, and a decoded code."""

from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from instruments.classification import cfi
from instruments.classification.descriptions import (
    check_pattern,
    describe_categories,
    describe_pattern,
)
from instruments.models import InstrumentCount, Status
from marketdata.common.errors import InvalidQuery, NotInDatabase
from marketdata.web.access import GuardedView, reading


class CfiTableView(GuardedView):
    """The categories and groups of ISO 10962, with the numbers of instruments.

    The query parameter `code` redirects to the page of a code.
    """

    needs = reading("instruments.view_instrument")

    def get(self, request: HttpRequest) -> HttpResponse:
        code = request.GET.get("code", "").strip().upper()
        problem = ""
        if code:
            try:
                check_pattern(code)
                return redirect("cfi", code=code)
            except InvalidQuery as error:
                problem = str(error)
        counts: dict[str, dict[str, int]] = {}
        for row in InstrumentCount.objects.exclude(instruments=0):
            category = counts.setdefault(row.category, {"instruments": 0, "active": 0})
            category["instruments"] += row.instruments
            category["active"] += row.instruments if row.status == Status.ACTIVE else 0
        categories = [
            {**category, **counts.get(category["code"], {"instruments": 0, "active": 0})}
            for category in describe_categories()
        ]
        context = {"categories": categories, "code": code, "problem": problem}
        status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
        return render(request, "instruments/cfi_table.html", context, status=status)


class CfiView(GuardedView):
    """A CFI code with the meaning of each letter, or the part of the table that its first letters cover."""

    needs = reading("instruments.view_instrument")

    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        try:
            pattern = check_pattern(code)
            described = describe_pattern(pattern)
        except (InvalidQuery, NotInDatabase) as error:
            raise Http404(str(error)) from error
        letters = pattern.rstrip(cfi.ANY)
        context = {
            "code": letters,
            "described": described,
            "attributes": [
                {**attribute, "addresses": _get_addresses(pattern, attribute)}
                for attribute in described["attributes"]
            ],
            "is_code": cfi.ANY not in pattern,
        }
        return render(request, "instruments/cfi.html", context)


def _get_addresses(pattern: str, attribute: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return (letter, meaning, address, is chosen) of each value of an attribute.

    The address is that of the pattern with this letter in its place.
    """
    position = attribute["position"]
    rows = []
    for letter, meaning in attribute["values"].items():
        changed = pattern[: position - 1] + letter + pattern[position:]
        rows.append(
            (letter, meaning, reverse("cfi", args=[changed]), pattern[position - 1] == letter)
        )
    return rows
