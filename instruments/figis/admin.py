"""Read-only admin of FIGIs and of the requests for them."""

from django.contrib import admin

from instruments.models import Figi, FigiRequest
from marketdata.web.admin import ReadOnlyAdmin


@admin.register(Figi)
class FigiAdmin(ReadOnlyAdmin):
    list_display = [
        "isin",
        "figi",
        "ticker",
        "exchange_code",
        "security_type",
        "name",
        "is_current",
        "fetched_at",
    ]
    searched_codes = ("isin", "figi", "composite_figi", "share_class_figi", "ticker")
    search_help_text = "An ISIN, a FIGI of any kind, or a ticker"


@admin.register(FigiRequest)
class FigiRequestAdmin(ReadOnlyAdmin):
    list_display = ["isin", "mic", "state", "asked_at", "due_at", "attempts", "problem"]
    list_filter = ["state"]
    searched_codes = ("isin",)
    search_help_text = "An ISIN"
