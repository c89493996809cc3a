"""Files, what loading them did, and what they hold that cannot be."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from esma_files.models import EsmaFile, LoadRun, RejectedRecord
from marketdata.common.admin import ReadOnlyAdmin


@admin.register(EsmaFile)
class EsmaFileAdmin(ReadOnlyAdmin):
    date_hierarchy = "published_on"
    list_display = ["name", "kind", "published_on", "size", "state", "state_since", "problem"]
    list_filter = ["state", "kind", "letter"]
    search_fields = ["name"]


@admin.register(LoadRun)
class LoadRunAdmin(ReadOnlyAdmin):
    date_hierarchy = "started_at"
    list_display = [
        "file",
        "started_at",
        "outcome",
        "read",
        "new",
        "changed",
        "ended",
        "late",
        "unchanged",
        "rejected",
        "seconds",
        "problem",
    ]
    list_filter = ["outcome", "file__kind"]
    list_select_related = ["file"]
    search_fields = ["file__name"]


@admin.register(RejectedRecord)
class RejectedRecordAdmin(ReadOnlyAdmin):
    list_display = ["file", "position", "isin", "mic", "field", "value", "reason"]
    list_filter = ["field"]
    search_fields = ["=isin", "file__name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RejectedRecord]:
        return super().get_queryset(request).select_related("file")
