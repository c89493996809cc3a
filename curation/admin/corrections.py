"""Admin pages of corrections: propose one, and decide about those that wait."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from curation import proposals
from curation.previews import preview
from instruments.correctable import GROUPED_FIELDS
from instruments.models import Correction
from marketdata.common.errors import InvalidQuery, MarketDataError
from marketdata.common.numbers import format_count
from marketdata.web.access import may_see_user_name
from marketdata.web.admin import ReadOnlyAdmin

_MAX_DECIDED = 100  # corrections in one decision
_NONE = "(none)"

Decide = Callable[[Correction, str], None]


class ProposalForm(forms.ModelForm[Correction]):
    """A correction to be proposed. The value that it expects is the one that is published now."""

    field = forms.ChoiceField(choices=GROUPED_FIELDS)

    class Meta:
        model = Correction
        fields = [
            *("register", "isin", "lei", "mic", "field", "value", "reason"),
            *("valid_from", "valid_to", "reported_on"),
        ]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors:
            try:
                proposals.check(proposals.Proposal(**values))
            except InvalidQuery as error:
                self.add_error(
                    error.parameter if error.parameter in self.fields else None, str(error)
                )
            except MarketDataError as error:
                self.add_error(None, str(error))
        return values


class DecisionForm(forms.Form):
    """The reason for a rejection or a withdrawal, kept in the audit trail."""

    reason = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


@admin.register(Correction)
class CorrectionAdmin(ReadOnlyAdmin):
    """Corrections are proposed here and decided about by actions; their states follow from the loads."""

    actions = ["approve", "reject", "withdraw"]
    list_display = ["__str__", "published_value", "right_value", "state", "remark", "proposed_at"]
    list_filter = ["state", "subject", "register"]
    show_facets = admin.ShowFacets.ALLOW
    searched_codes = ("isin", "lei", "mic")
    search_help_text = "An ISIN, an LEI or a MIC"
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("instruments.add_correction")

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(proposals.APPROVE)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = ProposalForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [*ProposalForm.Meta.fields, "evidence"]
        return [
            *("subject", "register", "isin", "lei", "mic", "field"),
            *("published_value", "right_value", "reason"),
            *("evidence", "valid_from", "valid_to", "reported_on", "state", "remark"),
            *("proposed_at", "approved_at", "closed_at"),
            *(("proposed_by", "approved_by") if may_see_user_name(request.user) else ()),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj is None else self.get_fields(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        proposal = proposals.Proposal(**form.cleaned_data)
        correction = proposals.propose(proposal, by=request.user.get_username(), request=request)
        obj.pk = correction.pk
        messages.info(request, f"The published value is {correction.expected or _NONE}.")

    @admin.display(description="published")
    def published_value(self, correction: Correction) -> str:
        return correction.expected or _NONE

    @admin.display(description="right value")
    def right_value(self, correction: Correction) -> str:
        return correction.value or _NONE

    @admin.action(description="Approve …", permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Correction]) -> Any:
        def decide(correction: Correction, reason: str) -> None:
            proposals.approve(correction, by=request.user.get_username(), request=request)

        return self._decide(request, queryset, "approve", "Approve", decide, needs_reason=False)

    @admin.action(description="Reject …", permissions=["approve"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Correction]) -> Any:
        def decide(correction: Correction, reason: str) -> None:
            by = request.user.get_username()
            proposals.reject(correction, reason=reason, by=by, request=request)

        return self._decide(request, queryset, "reject", "Reject", decide)

    @admin.action(description="Withdraw …", permissions=["add"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Correction]) -> Any:
        def decide(correction: Correction, reason: str) -> None:
            proposals.withdraw(
                correction,
                reason=reason,
                by=request.user.get_username(),
                may_approve=self.has_approve_permission(request),
                request=request,
            )

        return self._decide(request, queryset, "withdraw", "Withdraw", decide)

    def _decide(
        self,
        request: HttpRequest,
        queryset: QuerySet[Correction],
        action: str,
        verb: str,
        decide: Decide,
        *,
        needs_reason: bool = True,
    ) -> TemplateResponse | None:
        """Show what the decision changes and ask for the reason; then decide about each correction."""
        selected = list(queryset.order_by("pk")[: _MAX_DECIDED + 1])
        if len(selected) > _MAX_DECIDED:
            messages.error(request, f"Select at most {_MAX_DECIDED} corrections.")
            return None
        is_confirmed = "confirmed" in request.POST
        form = DecisionForm(request.POST if is_confirmed else None)
        if not is_confirmed or (needs_reason and not form.is_valid()):
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": f"{verb} {format_count(len(selected), 'correction')}",
                "action": action,
                "verb": verb,
                "form": form if needs_reason else None,
                "show_names": may_see_user_name(request.user),
                "previews": [{"correction": row, **preview(row)} for row in selected],
            }
            return TemplateResponse(request, "admin/curation/decide.html", context)
        done = 0
        for correction in selected:
            try:
                decide(correction, form.cleaned_data["reason"] if needs_reason else "")
                done += 1
            except MarketDataError as error:
                messages.error(request, f"{correction}: {error}")
        if done:
            messages.success(request, f"{verb}: {done} of {len(selected)} done.")
        return None
