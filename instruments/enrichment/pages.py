"""The page of enrichment: coverage by outside services, the last runs, and a request for a list."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from audit import trail
from esma_files.descriptions import describe_runs
from esma_files.models import Run
from instruments.classification import cfi
from instruments.enrichment import steps
from instruments.models import Coverage
from marketdata.common.errors import InvalidQuery, NotInDatabase
from marketdata.common.numbers import format_count
from marketdata.web import limits
from marketdata.web.access import GuardedView, holding, is_met, reading
from marketdata.web.forms import read_text

RUNS_SHOWN = 10
_REQUESTING = holding("instruments.enrich_instrument", costly=True)


class EnrichmentForm(forms.Form):
    """A list of instruments as text or as a file."""

    isins = forms.CharField(
        required=False,
        label="ISINs, FIGIs or tickers, one in each line or separated by commas",
        widget=forms.Textarea(attrs={"spellcheck": "false"}),
    )
    file = forms.FileField(
        required=False,
        label="Or a text or CSV file, whose first column is read",
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
    )

    def clean(self) -> dict[str, Any]:
        """Add `codes`, the codes of the list."""
        cleaned: dict[str, Any] = super().clean() or {}
        lines = (cleaned.get("isins") or "").replace(",", "\n").splitlines()
        file: UploadedFile[Any] | None = cleaned.get("file")
        if file is not None:
            lines += [
                line.replace(";", ",").split(",")[0].strip(' "')
                for line in read_text(file).splitlines()
            ]
        codes = [line.strip() for line in lines if line.strip()]
        if codes and codes[0].casefold() == "isin":  # the heading of a column
            codes = codes[1:]
        if not codes:
            raise forms.ValidationError("There is no instrument. Paste ISINs, or choose a file.")
        return {**cleaned, "codes": codes}


class EnrichmentView(GuardedView):
    """Coverage by category and source, and the runs; holders of the permission may request a run."""

    needs = reading("instruments.view_instrument")

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._answer(request, EnrichmentForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        if not is_met(_REQUESTING, request.user):
            raise PermissionDenied("Your roles do not permit you to request enrichment.")
        form = EnrichmentForm(request.POST, request.FILES)
        if seconds := limits.count_costly(request):
            form.add_error(
                None, f"Too many requests: try again in {format_count(seconds, 'second')}."
            )
            return self._answer(request, form, status=429)
        if form.is_valid():
            codes = form.cleaned_data["codes"]
            try:
                run = steps.request(codes, requested_by=request.user.get_username())
            except (InvalidQuery, NotInDatabase) as error:
                form.add_error(None, str(error))
            else:
                about = format_count(len(codes), "instrument")
                trail.record(
                    "instruments.enrich", request=request, about=about, new={"isins": len(codes)}
                )
                messages.success(request, f"Run {run.pk} is requested for {about}.")
                return redirect("enrichment")
        return self._answer(request, form, status=400)

    def _answer(
        self, request: HttpRequest, form: EnrichmentForm, *, status: int = 200
    ) -> HttpResponse:
        rows = Run.objects.filter(kind=Run.Kind.ENRICH).select_related("file").order_by("-pk")
        runs = describe_runs(rows[:RUNS_SHOWN], user=request.user)
        context = {
            "form": form,
            "may_request": is_met(_REQUESTING, request.user),
            "max_isins": steps.MAX_ISINS,
            "runs": [{**run, "percent": round(100 * run["share"])} for run in runs],
            "is_open": any(run["state"] in ("queued", "running") for run in runs),
            **_read_coverage(),
        }
        return render(request, "instruments/enrichment.html", context, status=status)


def _read_coverage() -> dict[str, Any]:
    """Return the coverage of each category by source, and when it was counted. One query."""
    counted = list(Coverage.objects.all())
    by_category: dict[str, dict[str, Coverage]] = {}
    for row in counted:
        by_category.setdefault(row.category, {})[row.source] = row
    names = cfi.category_names()
    rows = []
    for category, by_source in by_category.items():
        total = next(iter(by_source.values())).instruments
        shares = []
        for source in Coverage.Source.values:
            covered = by_source[source].covered if source in by_source else 0
            shares.append((covered, 100 * covered / total if total else 0.0))
        rows.append((names.get(category, category) or "none published", total, shares))
    return {
        "coverage": rows,
        "sources": Coverage.Source.labels,
        "counted_at": max((row.counted_at for row in counted), default=None),
    }
