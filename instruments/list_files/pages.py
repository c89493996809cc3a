"""The page on which files of up to a million lines are sent, followed and downloaded."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render

from esma_files.descriptions import describe_runs
from instruments.list_files import keeping
from instruments.models import ListFile, Register
from marketdata.common.errors import InvalidQuery, NotInDatabase, WrongState
from marketdata.common.numbers import format_count
from marketdata.web import limits
from marketdata.web.access import GuardedView, holding
from marketdata.web.forms import day_field

_LOOK_UP = holding(keeping.LOOK_UP)


class ListFileForm(forms.Form):
    """A file, and what is asked of all its lines."""

    file = forms.FileField(
        label="CSV file", widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"})
    )
    question = forms.ChoiceField(
        choices=[
            (ListFile.Question.REPORTABILITY, "Reportability: ISIN, MIC and day in each line"),
            (ListFile.Question.LOOKUP, "Look-up: a header with idValue, then a line for each"),
        ],
        label="Question",
    )
    on = day_field("Day for lines that name none", "Reportability; default: today")
    known_on = day_field("Known on", "Reportability; only what had been published by this day")
    register = forms.ChoiceField(
        required=False, choices=[("", "EU and UK"), *Register.choices], label="Register"
    )

    def clean(self) -> dict[str, Any]:
        """Add `parameters`, as texts."""
        cleaned = super().clean() or {}
        names = ("on", "known_on", "register")
        parameters = {name: str(cleaned[name]) for name in names if cleaned.get(name)}
        if parameters and cleaned.get("question") == ListFile.Question.LOOKUP:
            raise forms.ValidationError("Days and registers are asked for reportability only.")
        return {**cleaned, "parameters": {**parameters, "spreadsheet": "safe"}}


class ListFilesView(GuardedView):
    """The user's files with their progress, and a form for a new one."""

    needs = _LOOK_UP
    max_file_bytes = keeping.MAX_BYTES

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(request, ListFileForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ListFileForm(request.POST, request.FILES)
        if seconds := limits.count_costly(request):
            form.add_error(
                None, f"Too many requests: try again in {format_count(seconds, 'second')}."
            )
            return self._show(request, form, status=429)
        if form.is_valid():
            file: UploadedFile[Any] = form.cleaned_data["file"]
            try:
                keeping.create(
                    request.user.get_username(),
                    file.chunks(),
                    question=form.cleaned_data["question"],
                    name=str(file.name),
                    parameters=form.cleaned_data["parameters"],
                    request=request,
                )
            except (InvalidQuery, WrongState) as error:
                form.add_error("file", str(error))
            else:
                return redirect("list-files")
        return self._show(request, form, status=400)

    def _show(self, request: HttpRequest, form: ListFileForm, *, status: int = 200) -> HttpResponse:
        lists = list(keeping.select(request.user.get_username()))
        runs = describe_runs(map(keeping.get_run, lists), user=request.user)
        context = {
            "form": form,
            "lists": [
                {"file": list_file, "run": {**run, "percent": round(100 * run["share"])}}
                for list_file, run in zip(lists, runs, strict=True)
            ],
            "is_open": any(run["state"] in ("queued", "running") for run in runs),
            "max_lines": keeping.MAX_LINES,
            "days": keeping.KEPT_FOR.days,
        }
        return render(request, "instruments/list_files.html", context, status=status)


def _get(request: HttpRequest, number: int) -> ListFile:
    try:
        return keeping.get_list(number, request.user.get_username())
    except NotInDatabase as error:
        raise Http404(str(error)) from error


class ListAnswersView(GuardedView):
    """The answers for a file."""

    needs = holding(keeping.LOOK_UP, costly=True)

    def get(self, request: HttpRequest, number: int) -> StreamingHttpResponse:
        try:
            return keeping.download(_get(request, number), request=request)
        except WrongState as error:
            raise Http404(str(error)) from error


class DeleteListView(GuardedView):
    """Delete a file with its answers, by POST."""

    needs = _LOOK_UP
    http_method_names = ["post"]

    def post(self, request: HttpRequest, number: int) -> HttpResponse:
        keeping.delete(_get(request, number), request=request)
        return redirect("list-files")
