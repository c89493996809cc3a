"""The admin of reconciliations: full sets compared with the listings before them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join

from instruments.models import Difference, Reconciliation
from marketdata.common.admin import ReadOnlyAdmin
from marketdata.common.pages import BoundedPaginator


class _InWords:
    @admin.display(description="changes")
    def said(self, difference: Difference) -> str:
        """Each column that differs, as it was and as the set says it."""
        pairs = (
            (column, _shown(change["old"]), _shown(change["new"]))
            for column, change in difference.changes.items()
        )
        return format_html_join("", "<div>{}: {} → {}</div>", pairs)


def _shown(value: Any) -> str:
    return "(none)" if value is None else str(value)


class DifferenceInline(_InWords, admin.TabularInline[Difference, Reconciliation]):
    """The first of them; all that are kept have a page of their own."""

    model = Difference
    fields = ["kind", "isin", "mic", "said"]
    readonly_fields = ["said"]
    can_delete = False
    max_num = 0
    SHOWN = 100

    def get_queryset(self, request: HttpRequest) -> QuerySet[Difference]:
        of = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
        found = super().get_queryset(request)
        first = found.filter(reconciliation=of).order_by("pk").values_list("pk", flat=True)
        return found.filter(pk__in=list(first[: self.SHOWN]))

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
        """The most frequent first."""
        found = sorted(reconciliation.by_field.items(), key=lambda item: (-item[1], item[0]))
        return format_html_join("", "<div>{}: {}</div>", ((name, f"{n:,}") for name, n in found))


@admin.register(Difference)
class DifferenceAdmin(_InWords, ReadOnlyAdmin):
    paginator = BoundedPaginator
    list_display = ["reconciliation", "kind", "isin", "mic", "said"]
    list_filter = ["kind", "reconciliation__category", "reconciliation__published_on"]
    list_select_related = ["reconciliation"]
    search_fields = ["=isin"]
    search_help_text = "An ISIN"
    exclude = ["changes"]
    readonly_fields = ["said"]
