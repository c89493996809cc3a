"""Scopes, to look at and to set: what of each register is loaded."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from instruments.listings import scoping
from instruments.listings.models.scope import KINDS, codes
from instruments.models import Register, Scope
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
    """A change is a new row, so nothing is edited; loads go by the last one of a register."""

    form = ScopeForm
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
