"""The page of instruments for which FIRDS and GLEIF have different issuers."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from instruments.classification import cfi
from instruments.entities.api.differences import EXPORTING
from instruments.entities.mapped_issuers import DIFFERENCES, Comparison, select_differences
from instruments.listings.filters import InstrumentFilterSet
from instruments.listings.search_page import EXPORT_FORMATS
from instruments.models import Coverage, Instrument, MappedIssuer
from marketdata.common.filters import get_messages
from marketdata.web.access import GuardedView, is_met, reading
from marketdata.web.forms import get_status
from marketdata.web.pages import BoundedPaginator

PAGE_SIZE = 50
_ANY = ("", "Any")
_LABELS = {
    Comparison.DIFFERENT.value: "Another issuer",
    Comparison.VENUE_OPERATOR.value: "Operator of the venue in FIRDS",
}


class DifferenceForm(forms.Form):
    """The filters of the differences."""

    comparison = forms.ChoiceField(
        required=False,
        choices=[_ANY, *((code, _LABELS[code]) for code in DIFFERENCES)],
        label="Difference",
    )
    category = forms.ChoiceField(required=False, label="Category")
    issuer = forms.CharField(required=False, max_length=20, label="LEI in FIRDS")
    q = forms.CharField(required=False, max_length=100, label="ISIN or words of the name")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        category: Any = self.fields["category"]
        category.choices = [_ANY, *cfi.category_names().items()]


class IssuerDifferencesPage(GuardedView):
    """Instruments whose LEI in FIRDS is not that of GLEIF's ISIN-LEI file, with both names."""

    needs = reading("instruments.view_mappedissuer")

    def get(self, request: HttpRequest) -> HttpResponse:
        form = DifferenceForm(request.GET)
        parameters = {name: request.GET.get(name, "").strip() for name in form.fields}
        parameters = {name: value for name, value in parameters.items() if value}
        comparison = parameters.get("comparison", "")
        is_known = not comparison or comparison in DIFFERENCES
        filters = {name: value for name, value in parameters.items() if name != "comparison"}
        differences = select_differences(
            Comparison(comparison) if comparison and is_known else None
        )
        filterset = InstrumentFilterSet(filters, differences)
        messages = get_messages(filterset)
        if not is_known:
            messages["Difference"] = [f"{comparison!r} is none of {', '.join(DIFFERENCES)}."]
        rows: Any = Instrument.objects.none() if messages else filterset.qs
        page = BoundedPaginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
        page.object_list = list(page.object_list)
        for instrument in page.object_list:
            instrument.comparison_label = _LABELS[instrument.comparison]
        context = {
            "form": form,
            "messages": messages,
            "page": page,
            "query": urlencode(parameters),
            "counts": _read_counts(),
            "is_loaded": MappedIssuer.objects.exists(),
            "can_export": is_met(EXPORTING, request.user),
            "export_formats": EXPORT_FORMATS,
        }
        status = get_status(messages)
        return render(request, "instruments/issuer_differences.html", context, status=status)


def _read_counts() -> list[dict[str, Any]]:
    """Return the numbers of instruments that GLEIF's file has, and that differ, as counted by night."""
    covered = {
        (row.category, row.source): row
        for row in Coverage.objects.filter(
            source__in=(Coverage.Source.ISIN_LEI, Coverage.Source.ISSUER_DIFFERENCE)
        )
    }
    names = cfi.category_names()
    counts = []
    for (category, source), row in sorted(covered.items()):
        mapped = covered.get((category, Coverage.Source.ISIN_LEI))
        if source != Coverage.Source.ISSUER_DIFFERENCE or mapped is None or not mapped.covered:
            continue
        counts.append(
            {
                "category": category,
                "name": names.get(category, category or "No code"),
                "mapped": mapped.covered,
                "different": row.covered,
                "percent": 100 * row.covered / mapped.covered,
                "counted_at": row.counted_at,
            }
        )
    return counts
