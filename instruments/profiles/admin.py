"""Output profiles in the admin, to look at, to save as new versions, and to delete."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest

from instruments.listings.export import FIELDS
from instruments.models import OutputProfile
from instruments.profiles import saving
from marketdata.common.errors import InvalidQuery, MarketDataError
from marketdata.web.access import may_see_user_name
from marketdata.web.admin import ReadOnlyAdmin


class ProfileForm(forms.ModelForm[OutputProfile]):
    """A new version of a profile."""

    rows = forms.ChoiceField(
        choices=[("", "as the parent, else instruments"), *((n, n) for n in FIELDS)],
        required=False,
    )
    inherits_from = forms.CharField(required=False, help_text="as vendor or vendor@2")

    class Meta:
        model = OutputProfile
        fields = ["name", "title", "columns", "omitted"]
        help_texts = {
            "name": "lower-case letters, digits and hyphens; the name of a profile saves its next version",
            "columns": 'as [{"name": "ID", "field": "isin"}, {"name": "Maturity", "field": "maturity_date",'
            ' "format": "DD.MM.YYYY"}, {"name": "Source", "value": "MarketData"}]',
            "omitted": 'names of columns of the parent, as ["Source"]',
        }

    field_order = ["name", "title", "rows", "inherits_from", "columns", "omitted"]

    author: dict[str, Any]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if self.errors:
            return values
        try:
            saving.check(values["name"], self.get_content(values), **self.author)
        except InvalidQuery as error:
            self._add_problem(error)
        except MarketDataError as error:
            raise ValidationError(str(error)) from error
        return values

    def _add_problem(self, error: InvalidQuery) -> None:
        """Show a problem at its field; one of a column with its place, as `columns.2`."""
        name, _, place = error.parameter.partition(".")
        field = "inherits_from" if name == "parent" else name
        shown = f"{error.parameter}: {error}" if place or field not in self.fields else str(error)
        self.add_error(field if field in self.fields else None, shown)

    def get_content(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the content of a version as `saving` takes it."""
        return {**values, "parent": values["inherits_from"]}


@admin.register(OutputProfile)
class OutputProfileAdmin(ReadOnlyAdmin):
    """A change is a new version, so nothing is edited."""

    form = ProfileForm
    list_display = ["name", "version", "rows", "title", "parent", "created_at", "created_by"]
    list_filter = ["rows"]
    list_select_related = ["parent"]
    search_fields = ["=name"]
    search_help_text = "The name of a profile"

    def get_list_display(self, request: HttpRequest) -> Any:
        hidden = () if may_see_user_name(request.user) else ("created_by",)
        return [name for name in self.list_display if name not in hidden]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ProfileForm.field_order
        return ["name", "version", "title", "rows", "parent", "columns", "omitted", "created_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("instruments.add_outputprofile")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(saving.MANAGE)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"author": self._get_author(request)})

    def _get_author(self, request: HttpRequest) -> dict[str, Any]:
        may_manage = request.user.has_perm(saving.MANAGE)
        return {"by": request.user.get_username(), "may_manage": may_manage}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        values, author = form.cleaned_data, self._get_author(request)
        content = form.get_content(values)
        saved = saving.save(values["name"], content, **author, request=request)
        obj.pk, obj.version = saved.pk, saved.version

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        try:
            saving.delete(obj.name, by="", may_manage=True, request=request)
        except MarketDataError as error:
            raise PermissionDenied(str(error)) from error

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for name in sorted(set(queryset.values_list("name", flat=True))):
            self.delete_model(request, OutputProfile(name=name))
