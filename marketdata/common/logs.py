"""Log lines for people or as JSON, with the request and the run that each belongs to."""

import contextvars
import datetime as dt
import json
import logging
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
run_id: contextvars.ContextVar[int | None] = contextvars.ContextVar("run_id", default=None)

REQUEST_ID_HEADER = "X-Request-ID"
_META_OF_HEADER = "HTTP_X_REQUEST_ID"
# An id from outside is only taken over if it cannot be mistaken for anything else in a log.
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
# The extra of a line that may be logged in each request: see RepeatedLines.
_REPEATED = "is_repeated"
REPEATED = {_REPEATED: True}
_SECONDS_BETWEEN_REPEATS = 60
_LOGGERS_OF_CONNECTIONS = ("kombu.", "celery.beat", "celery.bootsteps", "celery.worker.consumer")
_CONNECTION_ERRORS = {"redis.exceptions.ConnectionError", "redis.exceptions.TimeoutError"}
# Django logs some refusals after all middleware, with the request.
_META_KEY = "marketdata.request_id"


def default_format(*, is_production: bool) -> str:
    """Return json in production, unless somebody reads the lines on a terminal; otherwise line."""
    return "json" if is_production and not sys.stderr.isatty() else "line"


class RequestIdMiddleware:
    """Give each request an id, which its log lines and its response have; a proxy may have set one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get(_META_OF_HEADER, "")
        identifier = given if _ACCEPTED_ID.fullmatch(given) else secrets.token_hex(16)
        request.META[_META_KEY] = identifier
        token = request_id.set(identifier)
        try:
            response = self._get_response(request)
        finally:
            request_id.reset(token)
        response.headers[REQUEST_ID_HEADER] = identifier
        return response


class LinesOfRefusals(logging.Filter):
    """Let an expected refusal be one warning: Django logs some as errors, and some with a traceback.

    Refusals are a 4xx, a 503, which the service answers on purpose only, and what `django.security`
    reports of requests. The 503 of a health check is not logged at all: monitors ask for it again and
    again, and the change to it has been logged (`monitoring.health.changes`).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        status = getattr(record, "status_code", HTTPStatus.INTERNAL_SERVER_ERROR)
        is_unavailable = status == HTTPStatus.SERVICE_UNAVAILABLE
        if (
            is_unavailable
            or status < HTTPStatus.INTERNAL_SERVER_ERROR
            or record.name.startswith("django.security.")
        ):
            record.exc_info = record.exc_text = None
            if record.levelno > logging.WARNING:
                record.levelno, record.levelname = logging.WARNING, "WARNING"
        path = getattr(getattr(record, "request", None), "path", "")
        return not (is_unavailable and path.startswith("/health"))


class LinesOfLostBroker(logging.Filter):
    """Let the lines of Celery's connections about a broker that is away be one line each.

    Their tracebacks say nothing more. Those of failed tasks (`celery.app.trace`) stay, whatever the error is.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if record.name.startswith(_LOGGERS_OF_CONNECTIONS) and _is_lost_connection(error):
            record.exc_info = record.exc_text = None
        return True


def _is_lost_connection(error: BaseException | None) -> bool:
    """Return True if an error is of a connection, or was raised while one of a connection was handled."""
    while error is not None:
        # By their names, since the library of Redis is only imported where it is used.
        names = {f"{base.__module__}.{base.__name__}" for base in type(error).__mro__}
        if isinstance(error, (ConnectionError, TimeoutError)) or names & _CONNECTION_ERRORS:
            return True
        error = error.__cause__ or error.__context__
    return False


class RepeatedLines(logging.Filter):
    """Let a line that is logged with `extra=logs.REPEATED` through once a minute, with the number left out.

    It is for what fails in each request while something outside of the process is away.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._left_out: dict[tuple[str, str], int] = {}
        self._next: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not getattr(record, _REPEATED, False):
            return True
        line, now = (record.name, str(record.msg)), self._clock()
        with self._lock:
            if now < self._next.get(line, now):
                self._left_out[line] = self._left_out.get(line, 0) + 1
                return False
            self._next[line] = now + _SECONDS_BETWEEN_REPEATS
            left_out = self._left_out.pop(line, 0)
        if left_out:
            record.msg = f"{record.msg} (not logged meanwhile: {left_out} more of these)"
        return True


class LineFormatter(logging.Formatter):
    """A line for people, and the traceback of an exception below it; `mask` removes secrets from the text."""

    def __init__(self, mask: Callable[[str], str] = str) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        return self._mask(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request_id, run_id, exception.

    `mask` removes secrets from the message and the exception.
    """

    def __init__(self, mask: Callable[[str], str] = str) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        time = dt.datetime.fromtimestamp(record.created, dt.UTC)
        content: dict[str, object] = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._mask(record.getMessage()),
        }
        meta = getattr(getattr(record, "request", None), "META", {})
        if identifier := request_id.get() or meta.get(_META_KEY, ""):
            content["request_id"] = identifier
        if (run := run_id.get()) is not None:
            content["run_id"] = run
        if record.exc_info:
            content["exception"] = self._mask(self.formatException(record.exc_info))
        return json.dumps(content, ensure_ascii=False)
