"""Pages of reconciliations: full sets compared with what the deltas before them had built."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from instruments.classification import cfi
from instruments.listings import reconciliation
from instruments.listings.reconciliation_filters import DifferenceFilterSet, ReconciliationFilterSet
from instruments.models import Difference, Reconciliation, Register
from marketdata.common.errors import NotInDatabase
from marketdata.common.filters import get_messages
from marketdata.web.access import GuardedView, reading
from marketdata.web.forms import day_field, get_status
from marketdata.web.pages import BoundedPaginator

PAGE_SIZE = 50
_ANY = ("", "Any")
# The counts of a reconciliation, with their labels.
COUNTS = {
    "listed": "Listed",
    "same": "Same",
    "missed": "Missed",
    "different": "Different",
    "late": "Newer here",
    "extra": "Dropped",
}


class ReconciliationForm(forms.Form):
    """The filters of the list of reconciliations."""

    register = forms.ChoiceField(
        required=False, choices=[_ANY, *Register.choices], label="Register"
    )
    category = forms.ChoiceField(
        required=False, choices=[_ANY, *cfi.category_names().items()], label="Category"
    )
    published_from = day_field("Published from")
    published_to = day_field("Published to")


class ReconciliationsView(GuardedView):
    """Full sets with the numbers of their comparison, the newest first."""

    needs = reading("instruments.view_reconciliation")

    def get(self, request: HttpRequest) -> HttpResponse:
        form = ReconciliationForm(request.GET)
        rows = reconciliation.with_files().order_by("-published_on", "category", "-pk")
        filterset = ReconciliationFilterSet(_get_values(request, form), rows)
        context = {**_read_page(request, filterset, Reconciliation), "form": form}
        context["rows"] = [
            {
                "row": row,
                "category": cfi.category_names().get(row.category, row.category),
                "counts": _list_counts(row),
                "obstacle": _describe_obstacle(row),
            }
            for row in context["page"]
        ]
        context["labels"] = COUNTS.values()
        status = get_status(context["messages"])
        return render(request, "instruments/reconciliations.html", context, status=status)


class DifferenceForm(forms.Form):
    """The filter of the differences of a reconciliation."""

    kind = forms.ChoiceField(
        required=False, choices=[_ANY, *Difference.Kind.choices], label="Difference"
    )


class ReconciliationView(GuardedView):
    """One full set: its numbers, its files, the fields that differ most, and the listings that differ."""

    needs = reading("instruments.view_reconciliation")

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            row = reconciliation.get_reconciliation(pk)
        except NotInDatabase as error:
            raise Http404(str(error)) from error
        form = DifferenceForm(request.GET)
        filterset = DifferenceFilterSet(_get_values(request, form), row.differences.order_by("pk"))
        by_field = sorted(row.by_field.items(), key=lambda item: (-item[1], item[0]))
        context = {
            **_read_page(request, filterset, Difference),
            "form": form,
            "reconciliation": row,
            "obstacle": _describe_obstacle(row),
            "category": cfi.category_names().get(row.category, row.category),
            "counts": list(zip(COUNTS.values(), _list_counts(row), strict=True)),
            "by_field": [(name.replace("_", " "), number) for name, number in by_field],
            "examples": Difference.EXAMPLES,
        }
        status = get_status(context["messages"])
        return render(request, "instruments/reconciliation.html", context, status=status)


def _list_counts(row: Reconciliation) -> list[int | None]:
    """Return the counts in the order of COUNTS; None for what was not compared."""
    return [getattr(row, name) if row.compared or name == "listed" else None for name in COUNTS]


def _describe_obstacle(row: Reconciliation) -> str:
    """Return why a full set is not complete; "" for one that is."""
    if row.completed_at is not None:
        return ""
    files = list(row.files.all())
    if any(part.file.is_excerpt for part in files):
        return "Loaded from excerpts"
    return f"{len(files)} of {row.parts} parts are loaded"


def _get_values(request: HttpRequest, form: forms.Form) -> dict[str, str]:
    values = {name: request.GET.get(name, "").strip() for name in form.fields}
    return {name: value for name, value in values.items() if value}


def _read_page(request: HttpRequest, filterset: Any, model: Any) -> dict[str, Any]:
    """Return the page of rows that is asked for, and the messages about invalid filters."""
    messages = get_messages(filterset)
    rows = model.objects.none() if messages else filterset.qs
    query = request.GET.copy()
    query.pop("page", None)
    page = BoundedPaginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return {"messages": messages, "page": page, "query": query.urlencode()}
