"""The page on which curators upload a published file that no register can be asked for."""

import tempfile
from pathlib import Path
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from audit import trail
from esma_files import queue, steps, store
from esma_files.datasets import Dataset
from esma_files.errors import FileProblem, LoadedOtherwise
from esma_files.models import EsmaFile, Run
from esma_files.names import FileName
from marketdata.common.errors import MarketDataError
from marketdata.common.numbers import format_count
from marketdata.web import limits
from marketdata.web.access import GuardedView, holding

MAX_BYTES = 500_000_000  # of a file; larger ones are loaded by the command


class UploadForm(forms.Form):
    """A published file under its own name."""

    file = forms.FileField(
        label="Zip or XML under the name of its publication",
        max_length=104,
        widget=forms.FileInput(attrs={"accept": ".zip,.xml"}),
    )
    dataset = forms.ChoiceField(
        required=False,
        choices=[("", "The one of ESMA or GLEIF for its name"), *Dataset.choices],
        label="Dataset",
    )
    excerpt = forms.BooleanField(
        required=False,
        label="Excerpt",
        help_text="It holds only a part of what was published, and ends nothing that it lacks.",
    )

    def clean_file(self) -> UploadedFile[Any]:
        file: UploadedFile[Any] = self.cleaned_data["file"]
        if (file.size or 0) > MAX_BYTES:
            raise forms.ValidationError(
                f"At most {MAX_BYTES // 1_000_000} MB. The command load takes files of any size."
            )
        try:
            FileName.parse(str(file.name))
        except FileProblem as error:
            raise forms.ValidationError(str(error)) from error
        return file


class UploadView(GuardedView):
    """Store an uploaded file as if it had been downloaded, and queue its load.

    Other bytes under the name of a file that failed or is held replace it. Uploads are costly requests; the
    form itself is not.
    """

    needs = holding("esma_files.load_esmafile", sensitive=True)
    max_file_bytes = MAX_BYTES

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "esma_files/upload.html", {"form": UploadForm()})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES)
        if seconds := limits.count_costly(request):
            form.add_error(
                None, f"Too many costly requests: try again in {format_count(seconds, 'second')}."
            )
            response = render(request, "esma_files/upload.html", {"form": form}, status=429)
            response["Retry-After"] = str(seconds)
            return response
        if form.is_valid():
            try:
                file = _store(**form.cleaned_data)
            except LoadedOtherwise as error:
                advice = "Tick Excerpt" if error.is_excerpt else "Leave Excerpt empty"
                form.add_error("file", f"{error} {advice}, and choose the file again.")
            except MarketDataError as error:
                form.add_error("file", str(error))
            else:
                trail.record("file.upload", request=request, about=file, new={"md5": file.md5})
                for bad in steps.supersede_bad(file):
                    trail.record("file.replace", request=request, about=bad, old={"md5": bad.md5})
                if file.state != EsmaFile.State.HELD:
                    name = request.user.get_username()
                    queue.request_run(Run.Kind.LOAD, file=file, requested_by=name)
                return redirect("file", pk=file.pk)
        return render(request, "esma_files/upload.html", {"form": form}, status=400)


def _store(file: UploadedFile[Any], *, dataset: str, excerpt: bool) -> EsmaFile:
    """Store the bytes under the name of the file. Raises the errors of `store.store_file`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(str(file.name)).name
        with path.open("wb") as copy:
            for chunk in file.chunks():
                copy.write(chunk)
        return store.store_file(path, dataset=dataset, excerpt=excerpt)
