"""Answers to a platform that asks whether this process lives, and whether it may be sent requests.

| path | 200 if | checks |
|---|---|---|
| /health/live/ | the process answers | nothing else |
| /health/ready/ | the readiness checks succeed | database, migrations, cache, storage |

A middleware and not views: platforms ask by plain HTTP and by addresses that are in no `ALLOWED_HOSTS`.
"""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse

from marketdata import __version__
from monitoring.health.report import recent

_LIVE = "/health/live/"
_READY = "/health/ready/"


class HealthMiddleware:
    """Answer the paths of probes, before anything else looks at the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == _LIVE:
            return _answer({}, HTTPStatus.OK)
        if request.path == _READY:
            return self._readiness()
        return self._get_response(request)

    def _readiness(self) -> HttpResponse:
        """Report the status of each check without its reason, which may name hosts and folders."""
        report = recent.get(for_readiness_only=True)
        checks = {result.name: result.status for result in report.results}
        status = HTTPStatus.OK if report.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return _answer(checks, status)


def _answer(checks: dict[str, str], status: HTTPStatus) -> JsonResponse:
    """Return the answer; nobody on the way may keep it."""
    state = "ok" if status == HTTPStatus.OK else "unavailable"
    content = {"status": state, "version": __version__, "checks": checks}
    return JsonResponse(content, status=status, headers={"Cache-Control": "no-store"})
