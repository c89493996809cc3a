"""Log lines for people or as JSON, with the request and the run that each belongs to."""

import contextvars
import datetime as dt
import json
import logging
import re
import sys
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
run_id: contextvars.ContextVar[int | None] = contextvars.ContextVar("run_id", default=None)

REQUEST_ID_HEADER = "X-Request-ID"
# An id from outside is only taken over if it cannot be mistaken for anything else in a log.
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
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
        given = request.headers.get(REQUEST_ID_HEADER, "")
        identifier = given if _ACCEPTED_ID.fullmatch(given) else uuid.uuid4().hex
        request.META[_META_KEY] = identifier
        token = request_id.set(identifier)
        try:
            response = self._get_response(request)
        finally:
            request_id.reset(token)
        response.headers[REQUEST_ID_HEADER] = identifier
        return response


class OmitTracebackOfRefusals(logging.Filter):
    """Let an expected refusal (a 4xx) be one line: Django logs some of them with a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        status = getattr(record, "status_code", 500)
        is_refusal = record.name.startswith("django.security.") or status < 500
        if is_refusal:
            record.exc_info = record.exc_text = None
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
