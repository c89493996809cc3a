"""Pages of corrections: the override debt, and a form that shows first what a proposal changes."""

import dataclasses
import hashlib
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from curation import debt, proposals
from curation.previews import preview
from instruments.correctable import GROUPED_FIELDS
from instruments.isin import problem_of
from instruments.listings.status import today
from instruments.models import Correction, CorrectionState, Register
from marketdata.common.errors import InvalidQuery, MarketDataError
from marketdata.common.labels import label_field
from marketdata.web import once
from marketdata.web.access import GuardedView, holding, reading

_SHOWN = 200  # corrections of a table
_ADD = "instruments.add_correction"


class DebtView(GuardedView):
    """The corrections that replace published values, by age, owner and field, and those that wait."""

    needs = reading("instruments.view_correction")

    def get(self, request: HttpRequest) -> HttpResponse:
        rows = [
            {**row, "state_label": CorrectionState(row["state"]).label}
            for row in debt.get_debt(today(), user=request.user)
        ]
        summary = debt.summarize(rows)
        by_field = summary["by_field"]
        waiting = Correction.objects.filter(state=CorrectionState.PROPOSED).order_by("pk")
        context = {
            "summary": summary,
            "by_field": [{**row, "value": label_field(row["value"])} for row in by_field],
            "rows": rows[:_SHOWN],
            "expiring": list(filter(debt.is_expiring, rows))[:_SHOWN],
            "waiting": waiting[:_SHOWN],
            "shown": _SHOWN,
            "may_propose": request.user.has_perm(_ADD),
            "may_decide": request.user.is_staff and request.user.has_perm(proposals.APPROVE),
        }
        return render(request, "curation/corrections.html", context)


class ProposalForm(forms.Form):
    """A correction to be proposed. The value that it expects is the one that is published now."""

    isin = forms.CharField(
        max_length=100,
        required=False,
        label="ISIN, FIGI or ticker",
        help_text="of an instrument",
    )
    register = forms.ChoiceField(
        choices=Register.choices, required=False, label="Register", help_text="of an instrument"
    )
    lei = forms.CharField(
        max_length=20, required=False, label="LEI", help_text="of a legal entity, without an ISIN"
    )
    mic = forms.CharField(
        max_length=4,
        required=False,
        label="MIC",
        help_text="of a venue; with an ISIN one listing, or empty for all",
    )
    field = forms.ChoiceField(
        choices=GROUPED_FIELDS,
        label="Field",
        initial="full_name",
    )
    value = forms.CharField(
        max_length=500,
        required=False,
        label="Right value",
        help_text="empty for none",
        widget=forms.TextInput(attrs={"size": 60}),
    )
    reason = forms.CharField(
        max_length=2_000, label="Reason", widget=forms.Textarea(attrs={"rows": 3})
    )
    evidence = forms.URLField(
        max_length=500,
        required=False,
        label="Evidence",
        help_text="address of a document",
        assume_scheme="https",
        widget=forms.URLInput(attrs={"size": 60}),
    )
    valid_from = forms.DateField(
        required=False, label="First day", widget=forms.DateInput(attrs={"type": "date"})
    )
    valid_to = forms.DateField(
        required=False, label="Last day", widget=forms.DateInput(attrs={"type": "date"})
    )
    reported_on = forms.DateField(
        required=False,
        label="Authority told on",
        widget=forms.DateInput(attrs={"type": "date"}),
    )


class ProposeView(GuardedView):
    """Propose a correction, after a look at the listings that it would change."""

    needs = holding(_ADD)

    def get(self, request: HttpRequest) -> HttpResponse:
        given = {
            name: request.GET[name] for name in ProposalForm.base_fields if name in request.GET
        }
        return self._show(request, ProposalForm(initial=given))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Show the preview; with `propose`, the mark of a preview, propose the correction that it showed."""
        form = ProposalForm(request.POST)
        if not form.is_valid():
            return self._show(request, form, status=400)
        proposal = proposals.Proposal(**form.cleaned_data)
        try:
            if request.POST.get("propose") != _mark(proposal):
                once.release(request)  # nothing is created yet
                return self._show(request, form, preview=preview(proposals.check(proposal)))
            by = request.user.get_username()
            correction = proposals.propose(proposal, by=by, request=request)
        except InvalidQuery as error:
            name = error.parameter
            form.add_error(name if name in form.fields else None, str(error))
        except MarketDataError as error:
            form.add_error(None, str(error))
        else:
            return HttpResponseRedirect(f"{reverse('corrections')}?proposed={correction.number}")
        return self._show(request, form, status=400)

    def answer_again(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(f"{reverse('corrections')}?proposed=before")

    def _show(
        self, request: HttpRequest, form: ProposalForm, *, status: int = 200, preview: Any = None
    ) -> HttpResponse:
        isin = (form["isin"].value() or "").strip().upper()
        context = {
            "form": form,
            "isin": isin if problem_of(isin) is None else "",
            "preview": preview,
            "mark": _mark(proposals.Proposal(**form.cleaned_data)) if preview else "",
            "has_changed": preview and "propose" in request.POST,
        }
        return render(request, "curation/propose.html", context, status=status)


def _mark(proposal: proposals.Proposal) -> str:
    """Return a mark of the values of a proposal, which differs where any value does."""
    return hashlib.sha256(repr(dataclasses.astuple(proposal)).encode()).hexdigest()
