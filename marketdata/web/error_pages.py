"""Error responses outside of API views: problem documents for paths of the API, else pages.

None of them shows anything internal: class names, paths of files, settings, or patterns of addresses.
"""

import logging
import sys
from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import Resolver404, reverse
from django.utils.http import escape_leading_slashes
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter

from marketdata.common import disks
from marketdata.settings import masking
from marketdata.web import time_limits
from marketdata.web.problems import answer_problem

logger = logging.getLogger(__name__)

# Pages below /api/, whose errors are pages too.
_PAGES = ("/api/docs/", "/api/redoc/", "/api/auth/")
# The same request may be answered later.
_PASSING = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def error_response(request: HttpRequest, status: HTTPStatus, detail: str) -> HttpResponse:
    """Return an error: problem details for clients of the API, a page for people and their browsers."""
    path = masking.mask(request.path)
    if is_api_path(request.path) and not _prefers_a_page(request):
        return answer_problem(request, status, detail, path=path)
    context = {
        **describe_page(status, detail),
        # All of the request that the template reads. The path is masked, and leads to no other host.
        "request": {"path": escape_leading_slashes(path), "method": request.method},
    }
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Without the user, who is read from the database, which may be the cause of the error.
        return HttpResponse(render_to_string("error.html", context), status=status)
    return render(request, "error.html", context, status=status)


def is_api_path(path: str) -> bool:
    """Return whether the answers at a path are JSON."""
    return path.startswith("/api/") and not path.startswith(_PAGES)


def _prefers_a_page(request: HttpRequest) -> bool:
    """Return whether a browser asks, which names HTML before what it takes as well."""
    if "format" in request.GET:
        return False
    return request.get_preferred_type(["application/json", "text/html"]) == "text/html"


def describe_page(status: int, detail: str) -> dict[str, object]:
    """Return the context of the template error.html."""
    return {
        "title": HTTPStatus(status).phrase.capitalize(),
        "detail": detail,
        "status": int(status),
        "may_pass": status in _PASSING,
    }


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer requests that Django refuses (`handler400`), as bodies that are too large."""
    if isinstance(exception, RequestDataTooBig):
        limit = getattr(exception, "limit", settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        detail = f"What was sent is too large: at most {limit:,} bytes are accepted."
        return error_response(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    # Django's own refusals are of other classes, and name what they met.
    detail = str(exception) if type(exception) is BadRequest else ""
    return error_response(request, HTTPStatus.BAD_REQUEST, detail or "The request is not valid.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer PermissionDenied (`handler403`) with its message."""
    detail = str(exception) or "You do not have the permission to see this page."
    return error_response(request, HTTPStatus.FORBIDDEN, detail)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer Http404 (`handler404`) with its message, and unknown addresses."""
    return error_response(request, HTTPStatus.NOT_FOUND, get_not_found_message(exception))


def get_not_found_message(error: Exception) -> str:
    """Return a message of our own, or a general one instead of Django's, which name classes."""
    message = str(error)
    is_internal = isinstance(error, Resolver404) or message.endswith("matches the given query.")
    if not isinstance(error, Http404) or is_internal or not message:
        return "There is nothing at this address."
    return message


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an unexpected error (`handler500`), or by 503 one of the time limit or of a full disk."""
    error = sys.exc_info()[1]
    if time_limits.is_due_to_limit(error):
        return time_limit_exceeded(request)
    if error is not None and disks.is_full(error):
        return _disk_full(request, error)
    detail = "The service has failed to answer. The error has been logged; try again later."
    return error_response(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def time_limit_exceeded(request: HttpRequest) -> HttpResponse:
    """Answer a request that was stopped at the end of its time limit."""
    time_limits.extend()
    logger.warning("A request was stopped at the end of its time limit: %s", request.path)
    response = error_response(request, HTTPStatus.SERVICE_UNAVAILABLE, time_limits.DETAIL)
    response.headers["Retry-After"] = str(time_limits.RETRY_AFTER_SECONDS)
    return response


def _disk_full(request: HttpRequest, error: BaseException) -> HttpResponse:
    """Answer a request that could not store something; the log says where space is needed."""
    places = (settings.DATABASES["default"]["NAME"], settings.MEDIA_ROOT, settings.QUEUE_DIR)
    full = disks.describe_full(*places)
    logger.error("A request could not be stored: %s: %s. Probably %s", request.path, error, full)
    detail = "A disk of the service is full, so nothing was stored. Tell an administrator; try again later."
    return error_response(request, HTTPStatus.SERVICE_UNAVAILABLE, detail)


class MaskingReporter(ExceptionReporter):
    """Django's report of an error, the page while DEBUG, without secrets (DEFAULT_EXCEPTION_REPORTER)."""

    def get_traceback_html(self) -> SafeString:
        return SafeString(masking.mask(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return SafeString(masking.mask(super().get_traceback_text()))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form without a valid CSRF token (CSRF_FAILURE_VIEW).

    Signing in makes a new token: a sign-in form in another tab leads on, as its user is signed in by now.
    """
    if request.user.is_authenticated and request.path == reverse("sign-in"):
        return redirect(request.get_full_path())
    detail = (
        "The form has expired, or cookies are disabled. Go back, reload the page and try again."
    )
    return error_response(request, HTTPStatus.FORBIDDEN, detail)
