"""Scopes, to look at and to set: what of each register is loaded."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from audit import trail
from esma_files import queue
from instruments.listings import scoping
from instruments.listings.models.scope import KINDS, codes
from instruments.models import Register, Scope
from marketdata.common.numbers import format_count
from marketdata.web.access import may_see_user_name
from marketdata.web.admin import ReadOnlyAdmin


class ScopeForm(forms.ModelForm[Scope]):
    """Codes as text, with spaces or commas between."""

    categories = forms.CharField(required=False, help_text="first letters of CFI codes, as E D")
    authorities = forms.CharField(required=False, help_text="countries, as SE DE")
    venues = forms.CharField(required=False, help_text="MICs, as XSTO")
    isins = forms.CharField(
        label="ISINs",
        required=False,
        widget=forms.Textarea,
        help_text="in scope whatever the other criteria are",
    )

    class Meta:
        model = Scope
        fields = ["register", *KINDS]

    def clean(self) -> dict[str, Any]:
        criteria = super().clean() or {}
        for kind in KINDS:
            try:
                criteria[kind] = codes(kind, criteria.get(kind, "").replace(",", " ").split())
            except ValidationError as error:
                self.add_error(kind, error.message_dict[kind])
        return criteria


@admin.register(Scope)
class ScopeAdmin(ReadOnlyAdmin):
    """A change is a new row, so nothing is edited; loads go by the last one of a register.

    The list shows the files that the scopes require to be read again, with a button that requests it.
    """

    form = ScopeForm
    change_list_template = "admin/instruments/scope/change_list.html"
    list_display = ["register", *KINDS[:-1], "set_at", "set_by"]
    list_filter = ["register"]

    def get_list_display(self, request: HttpRequest) -> Any:
        """Show user names to users who may view users only."""
        hidden = () if may_see_user_name(request.user) else ("set_by",)
        return [name for name in self.list_display if name not in hidden]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("instruments.add_scope")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        criteria = {kind: form.cleaned_data[kind] for kind in KINDS}
        scope = scoping.change(
            Register(obj.register), criteria, by=request.user.get_username(), request=request
        )
        obj.pk = scope.pk

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view(self.backfill_view)
        route = path("backfill/<str:register>/", view, name="instruments_scope_backfill")
        return [route, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        backlogs = [(register, scoping.backlog(register)) for register in Register]
        context = {
            "backlogs": [
                (r, backlog) for r, backlog in backlogs if backlog.stored or backlog.not_stored
            ],
            "may_backfill": self.has_backfill_permission(request),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def has_backfill_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("esma_files.load_esmafile")

    @method_decorator(require_POST)
    def backfill_view(self, request: HttpRequest, register: str) -> HttpResponse:
        """Request that the files of the backlog of a register are loaded again."""
        if not self.has_backfill_permission(request) or register not in Register.values:
            raise PermissionDenied
        backlog = scoping.backlog(Register(register))
        runs = scoping.request_backfill(backlog, by=request.user.get_username())
        trail.record("scope.backfill", request=request, about=register, new={"files": len(runs)})
        messages.success(request, f"{format_count(len(runs), 'file')} will be loaded again.")
        if not queue.has_worker():
            messages.warning(request, queue.NO_WORKER)
        return redirect("admin:instruments_scope_changelist")
