"""Problems in the admin: a list for each kind, from which corrections are proposed, singly or in bulk."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from curation import proposals
from curation.models import PROXIES, Problem, ProblemCount
from curation.previews import preview
from curation.problem_kinds import KINDS
from curation.problems import describe_kind, make_proposal
from instruments.classification import cfi
from marketdata.common.errors import MarketDataError
from marketdata.web.admin import ReadOnlyAdmin
from marketdata.web.pages import BoundedPaginator

_MAX_SELECTED = 50  # problems in one proposal
_VIEW = "curation.view_problem"


class BulkForm(forms.Form):
    """The values that the corrections of several problems share."""

    reason = forms.CharField(max_length=2_000, widget=forms.Textarea(attrs={"rows": 2}))
    evidence = forms.URLField(max_length=500, required=False, assume_scheme="https")
    reported_on = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="day on which the authority was told",
    )


class CategoryFilter(admin.SimpleListFilter):
    title = "category"
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(cfi.category_names().items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(category=self.value()) if self.value() else queryset


class SuggestionFilter(admin.SimpleListFilter):
    title = "suggestion"
    parameter_name = "suggestion"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "with a suggestion"), ("no", "without one")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "yes":
            return queryset.exclude(suggested="")
        return queryset.filter(suggested="") if self.value() == "no" else queryset


class ProblemAdmin(ReadOnlyAdmin):
    """The problems of one kind. The list says why they are problems, and what to do."""

    paginator = BoundedPaginator
    list_display = ["subject", "register", "mic", "published", "suggested", "detail", "first_day"]
    list_display_links = None
    list_filter = [CategoryFilter, "register", SuggestionFilter]
    show_facets = admin.ShowFacets.ALLOW  # at most 100,000 rows of a kind
    search_fields = ["=isin"]
    search_help_text = "An ISIN"
    ordering = ["isin", "pk"]
    sortable_by = ()
    actions = ["propose"]
    change_list_template = "admin/curation/problems.html"

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(_VIEW)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(_VIEW)

    def has_propose_permission(self, request: HttpRequest) -> bool:
        return bool(self._field) and request.user.has_perm("instruments.add_correction")

    @property
    def _field(self) -> str:
        return KINDS[self.model.KIND].field

    @admin.display(description="instrument", ordering="isin")
    def subject(self, problem: Problem) -> str:
        if not problem.isin:
            return problem.mic
        address = reverse("admin:instruments_instrument_change", args=[problem.isin])
        return format_html('<a href="{}">{}</a>', address, problem.isin)

    @admin.display(description="found first")
    def first_day(self, problem: Problem) -> str:
        return problem.found_on.isoformat()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        kind = KINDS[self.model.KIND]
        count = ProblemCount.objects.filter(pk=kind.code).first()
        context = {"about": describe_kind(kind, count), "title": kind.title}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    @admin.action(description="Propose corrections …", permissions=["propose"])
    def propose(self, request: HttpRequest, queryset: QuerySet[Problem]) -> Any:
        """Ask for values and a reason, show what changes where, then propose."""
        selected = list(queryset.order_by("isin", "pk")[: _MAX_SELECTED + 1])
        if len(selected) > _MAX_SELECTED:
            messages.error(request, f"Select at most {_MAX_SELECTED} problems.")
            return None
        step = request.POST.get("step", "")
        form = BulkForm(request.POST if step else None)
        is_valid = bool(step) and form.is_valid()
        rows = [_make_row(problem, request, form if is_valid else None) for problem in selected]
        if is_valid and step == "propose":
            self._propose(request, rows)
            return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Propose corrections of {KINDS[self.model.KIND].field}",
            "changelist": reverse(f"admin:curation_{self.opts.model_name}_changelist"),
            "form": form,
            "rows": rows,
            "is_previewed": is_valid,
            "has_valid": any(row["preview"] for row in rows),
        }
        return TemplateResponse(request, "admin/curation/propose.html", context)

    def _propose(self, request: HttpRequest, rows: list[dict[str, Any]]) -> None:
        done = 0
        by = request.user.get_username()
        for row in rows:
            if row["proposal"] is None:
                continue
            try:
                proposals.propose(row["proposal"], by=by, request=request)
                done += 1
            except MarketDataError as error:
                messages.error(request, f"{row['problem'].isin}: {error}")
        skipped = [row for row in rows if row["proposal"] is None]
        if skipped:
            codes = ", ".join(row["problem"].isin for row in skipped)
            messages.warning(request, f"Left out, without a value: {codes}.")
        queue = reverse("admin:instruments_correction_changelist")
        text = 'Proposed: {} of {}. They wait <a href="{}?state__exact=proposed">in the queue</a>.'
        messages.success(request, format_html(text, done, len(rows), queue))


def _make_row(problem: Problem, request: HttpRequest, form: BulkForm | None) -> dict[str, Any]:
    """Return a problem with the value to propose; with a valid form also its preview or error."""
    name = f"value_{problem.pk}"
    value = request.POST.get(name, problem.suggested).strip()
    row: dict[str, Any] = {
        "problem": problem,
        "name": name,
        "value": value,
        "proposal": None,
        "preview": None,
        "error": "",
    }
    if form is None or not value:
        return row
    proposal = make_proposal(problem, value=value, **form.cleaned_data)
    try:
        row["preview"] = preview(proposals.check(proposal))
        row["proposal"] = proposal
    except MarketDataError as error:
        row["error"] = str(error)
    return row


for _model in PROXIES.values():
    admin.site.register(_model, ProblemAdmin)
