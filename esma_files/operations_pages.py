"""Pages of operations: files by day with gaps, runs with their progress, rejected records, the storage."""

import calendar
import datetime as dt
import json
from collections import defaultdict
from typing import Any

from django import forms
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from esma_files import gaps, usage
from esma_files.datasets import Dataset
from esma_files.descriptions import describe_runs
from esma_files.filters import RejectedRecordFilterSet, RunFilterSet
from esma_files.models import EsmaFile, RejectedRecord, Run
from marketdata.common.filters import get_messages
from marketdata.common.numbers import format_count
from marketdata.web.access import GuardedView, reading
from marketdata.web.forms import day_field, get_status, refuse
from marketdata.web.pages import BoundedPaginator

PAGE_SIZE = 50
GAPS_SHOWN = 100
RECORD_SHOWN = 3_000  # characters
_ANY = ("", "Any")


class CalendarForm(forms.Form):
    """The month and the dataset of a calendar of files."""

    month = forms.DateField(
        required=False,
        label="Month",
        input_formats=["%Y-%m"],
        widget=forms.DateInput(attrs={"type": "month"}, format="%Y-%m"),
    )
    dataset = forms.ChoiceField(required=False, choices=[_ANY, *Dataset.choices], label="Dataset")


class CalendarView(GuardedView):
    """Files of a month by day and state, with the gaps; by default of the month of the newest file."""

    needs = reading("esma_files.view_esmafile")

    def get(self, request: HttpRequest) -> HttpResponse:
        form = CalendarForm(request.GET)
        if not form.is_valid():
            return refuse(request, form, "Files of a month")
        dataset = form.cleaned_data["dataset"]
        files = EsmaFile.objects.filter(dataset=dataset) if dataset else EsmaFile.objects.all()
        newest = files.order_by("-published_on").values_list("published_on", flat=True).first()
        month = form.cleaned_data["month"] or newest or timezone.now().date()
        month = month.replace(day=1)
        found_gaps = gaps.find(dataset)
        following = (month + dt.timedelta(days=31)).replace(day=1)
        previous = (month - dt.timedelta(days=1)).replace(day=1)
        context = {
            "form": CalendarForm({"month": f"{month:%Y-%m}", "dataset": dataset}),
            "month": month,
            "dataset": dataset,
            "weeks": _read_weeks(files, month, following, found_gaps),
            "previous": previous if previous.year > 1 else None,
            "following": following,
            "gaps": [_describe_gap(gap) for gap in found_gaps[-GAPS_SHOWN:][::-1]],
            "gap_count": len(found_gaps),
        }
        return render(request, "esma_files/calendar.html", context)


def _describe_gap(gap: gaps.Gap) -> dict[str, Any]:
    """Return a gap with its series, its dataset by name, and in words what is missing."""
    parts = ", ".join(map(str, gap.missing_parts))
    if gap.is_listed:
        missing = "Listed, not downloaded"
    elif parts:
        missing = f"Part{'s' if len(gap.missing_parts) > 1 else ''} {parts} of {gap.parts}"
    else:
        missing = f"{gap.count:,} publication{'s' if gap.count > 1 else ''}"
    return {
        "series": " ".join(filter(None, (gap.kind, gap.category, gap.result_group))),
        "dataset": Dataset(gap.dataset).label,
        "day": gap.day,
        "until": gap.until,
        "missing": missing,
        "warning": gap.warning,
    }


def _read_weeks(
    files: Any, month: dt.date, following: dt.date, found_gaps: list[gaps.Gap]
) -> list[list[dict[str, Any]]]:
    """Return the weeks of a month, Monday first, each day with its files by state and its gaps. One query."""
    counts: dict[dt.date, list[tuple[str, str, int]]] = defaultdict(list)
    rows = files.filter(published_on__gte=month, published_on__lt=following)
    grouped = rows.order_by().values_list("published_on", "state").annotate(number=Count("pk"))
    for day, state, number in sorted(grouped):
        counts[day].append((state, EsmaFile.State(state).label.lower(), number))
    weeks = calendar.Calendar().monthdatescalendar(month.year, month.month)
    return [
        [
            {
                "day": day,
                "is_inside": day.month == month.month,
                "counts": counts.get(day, []),
                "gaps": [gap for gap in found_gaps if gap.day <= day <= gap.until],
            }
            for day in week
        ]
        for week in weeks
    ]


class RunForm(forms.Form):
    """The filters of the list of runs."""

    file = forms.CharField(required=False, max_length=100, label="Name of the file")
    kind = forms.ChoiceField(required=False, choices=[_ANY, *Run.Kind.choices], label="Kind")
    state = forms.ChoiceField(required=False, choices=[_ANY, *Run.State.choices], label="State")
    since = day_field("Requested since")


class RunsView(GuardedView):
    """Runs with their progress and result, the newest first.

    While one of them is open, htmx reads them again every two seconds.
    """

    needs = reading("esma_files.view_run")

    def get(self, request: HttpRequest) -> HttpResponse:
        form = RunForm(request.GET)
        values = _get_values(request, form, several=("state",))
        rows = Run.objects.select_related("file").order_by("-requested_at", "-pk")
        filterset = RunFilterSet(values, rows, request=request)
        messages = get_messages(filterset)
        runs: Any = Run.objects.none() if messages else filterset.qs
        page = BoundedPaginator(runs, PAGE_SIZE).get_page(request.GET.get("page"))
        described = describe_runs(page.object_list, user=request.user)
        context = {
            "form": form,
            "messages": messages,
            "page": page,
            "runs": [
                {
                    **run,
                    "file_pk": row.file_id,
                    "percent": round(100 * run["share"]),
                    "progress": format_count(
                        run["done"], run["unit"].removesuffix("s"), run["unit"]
                    ),
                }
                for run, row in zip(described, page.object_list, strict=True)
            ],
            "is_open": any(run["state"] in ("queued", "running") for run in described),
            "query": _get_query(request),
        }
        return render(request, "esma_files/runs.html", context, status=get_status(messages))


class RejectForm(forms.Form):
    """The filters of the list of rejected records."""

    file = forms.CharField(required=False, max_length=100, label="Name of the file")
    dataset = forms.ChoiceField(required=False, choices=[_ANY, *Dataset.choices], label="Dataset")
    isin = forms.CharField(required=False, max_length=12, label="ISIN as published")
    mic = forms.CharField(required=False, max_length=4, label="MIC as published")
    field = forms.CharField(required=False, max_length=200, label="Path of the element")


class RejectsView(GuardedView):
    """Rejected records with the reason and the record as published, the newest first."""

    needs = reading("esma_files.view_rejectedrecord")

    def get(self, request: HttpRequest) -> HttpResponse:
        form = RejectForm(request.GET)
        values = _get_values(request, form)
        rows = RejectedRecord.objects.select_related("file").order_by("-pk")
        filterset = RejectedRecordFilterSet(values, rows)
        messages = get_messages(filterset)
        rejects: Any = RejectedRecord.objects.none() if messages else filterset.qs
        page = BoundedPaginator(rejects, PAGE_SIZE).get_page(request.GET.get("page"))
        context = {
            "form": form,
            "messages": messages,
            "page": page,
            "rejects": [(row, _format_record(row.record)) for row in page.object_list],
            "query": _get_query(request),
        }
        return render(request, "esma_files/rejects.html", context, status=get_status(messages))


def _format_record(record: Any) -> str:
    """Return a record as JSON, cut to RECORD_SHOWN characters."""
    text = json.dumps(record, indent=1, ensure_ascii=False)
    return text if len(text) <= RECORD_SHOWN else f"{text[:RECORD_SHOWN]} ..."


def _get_values(
    request: HttpRequest, form: forms.Form, *, several: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the values of a form that are given, those named in `several` as lists."""
    given = {name: request.GET.get(name, "").strip() for name in form.fields}
    return {n: [value] if n in several else value for n, value in given.items() if value}


def _get_query(request: HttpRequest) -> str:
    """Return the parameters of the address without `page`."""
    query = request.GET.copy()
    query.pop("page", None)
    return query.urlencode()


class StorageView(GuardedView):
    """The stored files by dataset, kind, tier and age, with the budget and the cost. One query."""

    needs = reading("esma_files.view_esmafile", costly=True)

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "esma_files/storage.html", {"usage": usage.collect()})
