"""Answers to a platform that asks whether this process lives, and whether it may be sent requests.

| path | 200 if | asks |
|---|---|---|
| /health/live/ | the process answers | nothing else |
| /health/ready/, /health/ | the database answers and has all migrations of this version | the database |

A middleware and not views: platforms ask by plain HTTP and by addresses that are in no `ALLOWED_HOSTS`.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from marketdata import __version__
from monitoring.databases.check import pending_migrations

_LIVE = "/health/live/"
_READY = {"/health/", "/health/ready/"}

logger = logging.getLogger(__name__)


class HealthMiddleware:
    """Answer the paths of health checks, before anything else looks at the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._has_all_migrations = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == _LIVE:
            return _answer({}, HTTPStatus.OK)
        if request.path in _READY:
            return self._readiness()
        return self._get_response(request)

    def _readiness(self) -> HttpResponse:
        checks = {"database": "ok", "migrations": "ok"}
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            # Migrations are only ever added while the service runs: ask until all are there.
            if not self._has_all_migrations:
                missing = len(pending_migrations(connection))
                self._has_all_migrations = not missing
                if missing:
                    checks["migrations"] = f"{missing} missing"
        except (DatabaseError, InterfaceError):
            # The reason may name hosts and users: it is logged and not shown.
            logger.exception("The database does not answer a health check")
            checks["database"] = "unavailable"
            connection.close()
        is_ready = set(checks.values()) == {"ok"}
        return _answer(checks, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)


def _answer(checks: dict[str, str], status: HTTPStatus) -> JsonResponse:
    """Return the answer; nobody on the way may keep it."""
    state = "ok" if status == HTTPStatus.OK else "unavailable"
    content = {"status": state, "version": __version__, "checks": checks}
    return JsonResponse(content, status=status, headers={"Cache-Control": "no-store"})
