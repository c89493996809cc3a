"""Buttons of the page of a file: each requests the work that the API requests, too."""

import dataclasses
from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from esma_files import file_requests, retention
from esma_files.models import EsmaFile, Run
from marketdata.common.errors import WrongState
from marketdata.common.numbers import format_count
from marketdata.web import limits
from marketdata.web.access import SIGNED_IN, GuardedView, Rule, holding, is_met
from marketdata.web.address import is_allowed


@dataclasses.dataclass(frozen=True)
class Action:
    """A button, which is shown if the state of the file allows it: `is_offered`.

    `perform` requests the work; it takes the file, and the request as a keyword.
    """

    label: str
    rule: Rule
    is_offered: Callable[[EsmaFile], bool]
    perform: Callable[..., Run]


_LOADING = holding("esma_files.load_esmafile", sensitive=True, costly=True)
# By the name in the address to which the button posts.
ACTIONS = {
    "retry": Action(
        "Retry", _LOADING, lambda file: file.state == EsmaFile.State.FAILED, file_requests.retry
    ),
    "release": Action(
        "Release and load",
        _LOADING,
        lambda file: file.state == EsmaFile.State.HELD,
        file_requests.release,
    ),
    "load": Action(
        "Load again",
        _LOADING,
        lambda file: file.has_content and file.state != EsmaFile.State.HELD,
        file_requests.load,
    ),
    "download": Action(
        "Download again",
        holding("esma_files.download_esmafile", costly=True),
        lambda file: bool(file.url),
        file_requests.download,
    ),
    "remove": Action(
        "Delete the stored copy",
        holding("esma_files.delete_esmafile", sensitive=True),
        lambda file: bool(file.stored_name) and not retention.hindrance_of_file(file),
        file_requests.remove,
    ),
}


def find_actions(request: HttpRequest, file: EsmaFile) -> list[tuple[str, str]]:
    """Return the names and labels of the actions that the user may request and the state allows."""
    return [
        (name, action.label)
        for name, action in ACTIONS.items()
        if _is_permitted(request, action) and action.is_offered(file)
    ]


def _is_permitted(request: HttpRequest, action: Action) -> bool:
    is_network_permitted = not action.rule.sensitive or is_allowed(request)
    return is_network_permitted and is_met(action.rule, request.user)


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
        if action.rule.costly and (seconds := limits.count_costly(request)):
            wait = format_count(seconds, "second")
            messages.error(request, f"Too many costly requests: try again in {wait}.")
            return redirect("file", pk=pk)
        try:
            run = action.perform(file, request=request)
        except WrongState as problem:
            messages.error(request, str(problem))
        else:
            messages.success(request, f"Requested as run {run.pk}.")
        return redirect("file", pk=pk)
