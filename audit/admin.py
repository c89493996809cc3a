"""The audit trail in the admin, and the base class of admin pages that write to it."""

import ipaddress
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from audit import trail
from audit.models import Event
from marketdata.web.admin import DiscreetAdmin, ReadOnlyAdmin


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_filter = ["at"]  # a date_hierarchy would read all events
    list_display = ["at", "action", "actor", "via", "address", "object_type", "object_id"]
    search_fields = ["actor__exact", "action__exact", "object_id__exact"]
    search_help_text = "User name, action (user.created), IP address, or name of the object"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by index: addresses too, which the admin would compare as text."""
        try:
            address = ipaddress.ip_address(search_term.strip())
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(address=str(address)), False


class AuditedAdmin(DiscreetAdmin):
    """Write every change to the audit trail, with the old and new values of the changed fields."""

    def save_related(self, request: Any, form: Any, formsets: Any, change: bool) -> None:
        old = {name: _json_value(form.initial.get(name)) for name in form.changed_data}
        super().save_related(request, form, formsets, change)
        if not change:
            trail.record(self._action("created"), request=request, about=form.instance)
        elif form.changed_data:
            new = {name: _json_value(form.cleaned_data.get(name)) for name in form.changed_data}
            trail.record(
                self._action("changed"), request=request, about=form.instance, old=old, new=new
            )

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        trail.record(self._action("deleted"), request=request, about=obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            trail.record(self._action("deleted"), request=request, about=row)
        super().delete_queryset(request, queryset)

    def _action(self, verb: str) -> str:
        return f"{self.opts.model_name}.{verb}"


def _json_value(value: Any) -> Any:
    """Return a form value as JSON; rows and querysets become sorted lists of names."""
    if isinstance(value, (list, tuple, QuerySet)):
        return sorted(map(str, value))
    return value if isinstance(value, (bool, int, type(None))) else str(value)
