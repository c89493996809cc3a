"""The admin of request budgets, read-only."""

from django.contrib import admin

from marketdata.common.admin import ReadOnlyAdmin
from marketdata.services.models import RequestBudget


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
