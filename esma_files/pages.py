"""Pages of files: what the registers published and what was loaded, and one file with its runs."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from esma_files.datasets import Dataset
from esma_files.descriptions import describe_file_details
from esma_files.file_actions import find_actions
from esma_files.filters import EsmaFileFilterSet
from esma_files.models import EsmaFile
from marketdata.common.filters import get_messages
from marketdata.web.access import GuardedView, holding, is_met, reading
from marketdata.web.forms import day_field, get_status
from marketdata.web.pages import BoundedPaginator

PAGE_SIZE = 50
REJECTS_SHOWN = 20
_ANY = ("", "Any")
_READING_REJECTS = reading("esma_files.view_rejectedrecord")
_READING_BYTES = holding("esma_files.view_esmafile", costly=True)  # as the API
# The columns of a file that its page shows as facts.
_FACTS = (
    *("dataset", "kind", "category", "result_group", "published_on", "part", "parts", "revision"),
    *("state", "state_since", "listed_at", "stored_at", "loaded_at", "size", "md5", "url", "kept"),
)


class FileForm(forms.Form):
    """The filters of the list of files."""

    name = forms.CharField(required=False, max_length=100, label="Name, or its start")
    dataset = forms.ChoiceField(required=False, choices=[_ANY, *Dataset.choices], label="Dataset")
    state = forms.ChoiceField(
        required=False, choices=[_ANY, *EsmaFile.State.choices], label="State"
    )
    day = day_field("Published on")


class FilesView(GuardedView):
    """The files that the registers list and those that were loaded, the newest publication first."""

    needs = reading("esma_files.view_esmafile")

    def get(self, request: HttpRequest) -> HttpResponse:
        form = FileForm(request.GET)
        parameters = {name: request.GET.get(name, "").strip() for name in form.fields}
        values = {
            name: [value] if name == "state" else value
            for name, value in parameters.items()
            if value
        }
        filterset = EsmaFileFilterSet(values, EsmaFile.objects.order_by("-published_on", "-pk"))
        messages = get_messages(filterset)
        files: Any = EsmaFile.objects.none() if messages else filterset.qs
        page = BoundedPaginator(files, PAGE_SIZE).get_page(request.GET.get("page"))
        query = request.GET.copy()
        query.pop("page", None)
        context = {"form": form, "messages": messages, "page": page, "query": query.urlencode()}
        return render(request, "esma_files/files.html", context, status=get_status(messages))


class FileView(GuardedView):
    """One file: its state, its last runs, and the first of the records that were rejected."""

    needs = reading("esma_files.view_esmafile")

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        file = EsmaFile.objects.filter(pk=pk).first()
        if file is None:
            raise Http404("No such file.")
        details = describe_file_details(file, user=request.user)
        rejects = []
        if is_met(_READING_REJECTS, request.user):
            rejects = list(file.rejected_records.order_by("position")[: REJECTS_SHOWN + 1])
        context = {
            "file": details,
            "actions": find_actions(request, file),
            "has_bytes": file.has_content and is_met(_READING_BYTES, request.user),
            "is_open": any(run["state"] in ("queued", "running") for run in details["runs"]),
            "facts": {
                **{n: _format(n, details[n]) for n in _FACTS if details[n] not in ("", None)},
                "excerpt": details["is_excerpt"],
            },
            "rejects": rejects[:REJECTS_SHOWN],
            "has_more_rejects": len(rejects) > REJECTS_SHOWN,
        }
        return render(request, "esma_files/file.html", context)


def _format(name: str, value: Any) -> Any:
    """Return a fact as text: times to the second, the size in bytes, and the dataset by its name."""
    if name == "dataset":
        return Dataset(value).label
    if name.endswith(("_at", "_since")):
        return str(value).replace("T", " ")[:19] + " UTC"
    return f"{value:,} bytes" if name == "size" else value
