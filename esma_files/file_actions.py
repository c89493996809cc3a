"""Actions on one file from its page, with the rules and the audit trail of the API: each one queues a run."""

import dataclasses
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from audit import trail
from esma_files import downloading, queue, retention, steps
from esma_files.models import EsmaFile, Run
from marketdata.web import limits
from marketdata.web.access import SIGNED_IN, GuardedView, Rule, holding, is_met
from marketdata.web.address import is_allowed


class NotPossible(Exception):
    """The state of a file does not allow an action. The message says why."""


@dataclasses.dataclass(frozen=True)
class Action:
    """A button. `perform` records the request in the audit trail and returns the run that was queued."""

    label: str
    rule: Rule
    is_possible: Callable[[EsmaFile], bool]
    perform: Callable[[HttpRequest, EsmaFile], Run]


def _request(
    request: HttpRequest, kind: Run.Kind, file: EsmaFile, event: str = "", **arguments: Any
) -> Run:
    trail.record(event or f"file.{kind}", request=request, about=file)
    name = request.user.get_username()
    return queue.request_run(kind, file=file, requested_by=name, **arguments)


def _download(request: HttpRequest, file: EsmaFile) -> Run:
    return _request(request, Run.Kind.DOWNLOAD, downloading.prepare_refetch(file))


def _load(request: HttpRequest, file: EsmaFile) -> Run:
    return _request(request, Run.Kind.LOAD, file)


def _retry(request: HttpRequest, file: EsmaFile) -> Run:
    if not EsmaFile.objects.filter(pk=file.pk).retry():
        raise NotPossible("Only failed files can be retried.")
    return _request(request, Run.Kind.LOAD if file.has_content else Run.Kind.DOWNLOAD, file)


def _release(request: HttpRequest, file: EsmaFile) -> Run:
    if not EsmaFile.objects.filter(pk=file.pk).release_held():
        raise NotPossible("Only held files can be released.")
    trail.record("file.release", request=request, about=file)
    return _request(request, Run.Kind.LOAD, file)


def _remove(request: HttpRequest, file: EsmaFile) -> Run:
    if reason := retention.hindrance_of_file(file):
        raise NotPossible(f"The stored copy cannot be deleted: {reason}.")
    return _request(request, Run.Kind.DELETE, file, "file.remove", arguments=steps.ALONE)


_LOADING = holding("esma_files.load_esmafile", sensitive=True, costly=True)
ACTIONS = {
    "retry": Action("Retry", _LOADING, lambda file: file.state == EsmaFile.State.FAILED, _retry),
    "release": Action(
        "Release and load", _LOADING, lambda file: file.state == EsmaFile.State.HELD, _release
    ),
    "load": Action(
        "Load again",
        _LOADING,
        lambda file: file.has_content and file.state != EsmaFile.State.HELD,
        _load,
    ),
    "download": Action(
        "Download again",
        holding("esma_files.download_esmafile", costly=True),
        lambda file: bool(file.url),
        _download,
    ),
    "remove": Action(
        "Delete the stored copy",
        holding("esma_files.delete_esmafile", sensitive=True),
        lambda file: bool(file.stored_name) and not retention.hindrance_of_file(file),
        _remove,
    ),
}


def find_actions(request: HttpRequest, file: EsmaFile) -> list[tuple[str, str]]:
    """Return the names and labels of the actions that the user may request and the state allows."""
    return [
        (name, action.label)
        for name, action in ACTIONS.items()
        if _is_permitted(request, action) and action.is_possible(file)
    ]


def _is_permitted(request: HttpRequest, action: Action) -> bool:
    is_near = not action.rule.sensitive or is_allowed(request)
    return is_near and is_met(action.rule, request.user)


def _count(request: HttpRequest, action: Action) -> None:
    """Count a costly action. Raises NotPossible beyond the limit."""
    if action.rule.costly and (seconds := limits.count_costly(request)):
        raise NotPossible(f"Too many costly requests: try again in {seconds} seconds.")


class FileActionView(GuardedView):
    """Request an action for a file, and go back to its page, which shows the run."""

    needs = SIGNED_IN
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        file = EsmaFile.objects.filter(pk=pk).first()
        if file is None or name not in ACTIONS:
            raise Http404("No such file.")
        action = ACTIONS[name]
        if not _is_permitted(request, action):
            raise PermissionDenied("Your roles or your network do not permit this.")
        try:
            if not action.is_possible(file):
                raise NotPossible(f"The file is {file.state}, which does not allow this.")
            _count(request, action)
            run = action.perform(request, file)
        except NotPossible as problem:
            messages.error(request, str(problem))
        else:
            messages.success(request, f"Requested as run {run.pk}.")
        return redirect("file", pk=pk)
