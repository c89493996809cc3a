"""The admin of reconciliations: full sets compared with the listings before them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join

from instruments.models import Difference, Reconciliation
from marketdata.web.admin import ReadOnlyAdmin


class _ChangesColumn:
    @admin.display(description="changes")
    def changes_as_text(self, difference: Difference) -> str:
        """Return each column that differs, with the value before and that of the full set."""
        pairs = (
            (column, _format(change["old"]), _format(change["new"]))
            for column, change in difference.changes.items()
        )
        return format_html_join("", "<div>{}: {} → {}</div>", pairs)


def _format(value: Any) -> str:
    return "(none)" if value is None else str(value)


class DifferenceInline(_ChangesColumn, admin.TabularInline[Difference, Reconciliation]):
    """The first 100 differences; all that are kept have a page of their own."""

    model = Difference
    fields = ["kind", "isin", "mic", "changes_as_text"]
    readonly_fields = ["changes_as_text"]
    can_delete = False
    max_num = 0
    SHOWN = 100

    def get_queryset(self, request: HttpRequest) -> QuerySet[Difference]:
        match = request.resolver_match
        reconciliation = match.kwargs.get("object_id") if match else None
        differences = super().get_queryset(request)
        of_set = differences.filter(reconciliation=reconciliation).order_by("pk")
        first = of_set.values_list("pk", flat=True)[: self.SHOWN]
        return differences.filter(pk__in=list(first))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    list_display = [
        "published_on",
        "category",
        "register",
        "listed",
        "same",
        "missed",
        "different",
        "extra",
        "late",
        "compared",
        "completed_at",
    ]
    list_filter = ["register", "category", "compared", "published_on"]
    exclude = ["by_field"]
    readonly_fields = ["differences_by_column"]
    inlines = [DifferenceInline]

    def differences_by_column(self, reconciliation: Reconciliation) -> str:
        """Return the number of differences by column, the most frequent first."""
        counts = sorted(reconciliation.by_field.items(), key=lambda item: (-item[1], item[0]))
        return format_html_join("", "<div>{}: {}</div>", ((name, f"{n:,}") for name, n in counts))


@admin.register(Difference)
class DifferenceAdmin(_ChangesColumn, ReadOnlyAdmin):
    list_display = ["reconciliation", "kind", "isin", "mic", "changes_as_text"]
    list_filter = ["kind", "reconciliation__category", "reconciliation__published_on"]
    list_select_related = ["reconciliation"]
    searched_codes = ("isin",)
    search_help_text = "An ISIN"
    exclude = ["changes"]
    readonly_fields = ["changes_as_text"]
