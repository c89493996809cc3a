"""The admin of request budgets, read-only."""

from django.contrib import admin

from marketdata.services.models import RequestBudget
from marketdata.web.admin import ReadOnlyAdmin


@admin.register(RequestBudget)
class RequestBudgetAdmin(ReadOnlyAdmin):
    list_display = [
        "service",
        "requests",
        "window_seconds",
        "remaining",
        "resets_at",
        "paused_until",
    ]
