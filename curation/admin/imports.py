"""Imports in the admin: a file is tried, its differences are looked at, and then it is committed."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from curation.importing import batches, files
from curation.importing.resources import TABLES
from curation.models import ImportBatch
from marketdata.common.errors import InvalidQuery, MarketDataError
from marketdata.web.access import may_see_user_name
from marketdata.web.admin import ReadOnlyAdmin
from marketdata.web.pages import BoundedPaginator


class ImportForm(forms.Form):
    """A table and a file."""

    kind = forms.ChoiceField(label="Table")
    file = forms.FileField(
        help_text=f"CSV or XLSX, at most {files.MAX_ROWS:,} rows and {files.MAX_BYTES:,} bytes",
        widget=forms.FileInput(attrs={"accept": ".csv,.xlsx"}),
    )

    def __init__(self, *args: Any, user: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        kinds: Any = self.fields["kind"]
        kinds.choices = [
            (table.kind, table.title) for table in TABLES.values() if user.has_perm(table.to_import)
        ]


@admin.register(ImportBatch)
class ImportBatchAdmin(ReadOnlyAdmin):
    """Imports with the fate of each row. A new one is tried first."""

    paginator = BoundedPaginator
    list_display = ["__str__", "kind", "outcomes", "created", "committed"]
    list_filter = ["kind"]
    ordering = ["-pk"]
    change_form_template = "admin/curation/import.html"
    change_list_template = "admin/curation/imports.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return any(request.user.has_perm(table.to_import) for table in TABLES.values())

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImportBatch]:
        return batches.select(request.user)

    @admin.display(description="rows")
    def outcomes(self, batch: ImportBatch) -> str:
        return ", ".join(f"{number:,} {outcome}" for outcome, number in batch.counts.items())

    @admin.display(description="tried at (UTC)", ordering="created_at")
    def created(self, batch: ImportBatch) -> str:
        return f"{batch.created_at:%Y-%m-%d %H:%M}"

    @admin.display(description="committed at (UTC)")
    def committed(self, batch: ImportBatch) -> str:
        return f"{batch.committed_at:%Y-%m-%d %H:%M}" if batch.committed_at else "not yet"

    def get_urls(self) -> Any:
        commit = self.admin_site.admin_view(self.commit_view)
        export = self.admin_site.admin_view(self.export_view)
        return [
            path("<int:number>/commit/", commit, name="curation_importbatch_commit"),
            path("export/<str:kind>/<str:format_>/", export, name="curation_export"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        tables = [table for table in TABLES.values() if request.user.has_perm(table.to_export)]
        context = {"tables": tables, "formats": list(files.FORMATS)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            return super().add_view(request, form_url, extra_context)  # answers 403
        is_sent = request.method == "POST"
        form = ImportForm(
            request.POST if is_sent else None, request.FILES if is_sent else None, user=request.user
        )
        if is_sent and form.is_valid():
            file = form.cleaned_data["file"]
            try:
                batch = batches.try_import(
                    form.cleaned_data["kind"],
                    file.read(files.MAX_BYTES + 1),
                    name=file.name,
                    by=request.user.get_username(),
                    request=request,
                    user=request.user,
                )
            except InvalidQuery as error:
                form.add_error("file", str(error))
            else:
                return HttpResponseRedirect(
                    reverse("admin:curation_importbatch_change", args=[batch.pk])
                )
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Import a table",
            "form": form,
            "tables": [
                {"title": table.title, "columns": table.resource.columns}
                for table in TABLES.values()
            ],
        }
        return TemplateResponse(request, "admin/curation/import_form.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        batch = self.get_object(request, object_id)
        context = {
            "batch": batch,
            "show_names": may_see_user_name(request.user),
            "title": f"Import {batch}",
            "subtitle": None,
        }
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    @method_decorator(require_POST)
    def commit_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Commit an import that was tried, and show the fate of its rows."""
        batch = self.get_object(request, str(number))
        page = reverse("admin:curation_importbatch_change", args=[number])
        if batch is None:
            messages.error(request, f"There is no import {number}.")
            return HttpResponseRedirect(reverse("admin:curation_importbatch_changelist"))
        try:
            by = request.user.get_username()
            batches.commit(batch, by=by, request=request, user=request.user)
            messages.success(request, f"Committed: {self.outcomes(batch)}.")
        except MarketDataError as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(page)

    def export_view(self, request: HttpRequest, kind: str, format_: str) -> HttpResponse:
        """Return a table as a file."""
        try:
            table = batches.get_table(kind)
            if not request.user.has_perm(table.to_export):
                messages.error(request, "Your roles do not permit you to read this table.")
                return HttpResponseRedirect(reverse("admin:curation_importbatch_changelist"))
            by = request.user.get_username()
            content = batches.export_table(kind, format_, by=by, request=request)
        except InvalidQuery as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:curation_importbatch_changelist"))
        return HttpResponse(
            content,
            content_type=files.FORMATS[format_],
            headers={"Content-Disposition": f'attachment; filename="{kind}.{format_}"'},
        )
