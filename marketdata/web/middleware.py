"""Time limits, network restrictions, rate limits, refusal of credentials in addresses, and ETags."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware.http import ConditionalGetMiddleware

from marketdata.common.numbers import format_count
from marketdata.web import limits, slots, time_limits
from marketdata.web.address import is_allowed
from marketdata.web.credentials import has_credentials
from marketdata.web.error_pages import error_response, time_limit_exceeded

_CREDENTIALS_IN_ADDRESS = (
    "API keys and tokens are not accepted in addresses, which are logged. Send them in the header"
    " Authorization, and revoke the one that was sent."
)
_OTHER_ANSWER = "The answer is not the one that If-Match or If-Unmodified-Since names."


class TimeLimits:
    """Limit the time of each request to REQUEST_TIMEOUT_SECONDS, and answer 503 when it is over.

    The parts of a streamed answer, such as an export, have a limit each (EXPORT_TIMEOUT_SECONDS). A
    stream that exceeds it is broken off, so that the client sees that it is not complete.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with time_limits.limit(settings.REQUEST_TIMEOUT_SECONDS):
            response = self.get_response(request)
        if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
            parts: Any = iter(response)
            response.streaming_content = time_limits.limit_parts(
                parts, settings.EXPORT_TIMEOUT_SECONDS
            )
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return time_limit_exceeded(request) if time_limits.is_due_to_limit(error) else None


class RequestsAtATime:
    """Refuse requests of an address that has REQUESTS_AT_A_TIME running in this process, with 429."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not slots.begin(request):
            return too_many_requests(request, slots.RETRY_AFTER_SECONDS)
        try:
            response = self.get_response(request)
        except BaseException:
            slots.end(request)
            raise
        slots.end_with(response, request)
        return response


class Guard:
    """Limits the admin to its networks, counts requests, and adds the rate limit headers to every response.

    A request with an API key or token in its address is refused.

    API views count their requests themselves, when they have authenticated the token or API key. Everything
    that no view has counted, such as unknown pages, is counted after the response.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if has_credentials(request):
            response = error_response(request, HTTPStatus.BAD_REQUEST, _CREDENTIALS_IN_ADDRESS)
        else:
            response = self.get_response(request)
        if not limits.is_counted(request):
            limits.count_client(request, user=request.user)
            usage = limits.usage_of(request)
            if usage is not None and usage.is_exceeded:
                response = too_many_requests(request, usage.seconds)
        usage = limits.usage_of(request)
        if getattr(request, "sign_in_refusal", "") == "limit" and usage is not None:
            response = too_many_requests(request, usage.seconds)
        limits.add_headers(response, request)
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        match = request.resolver_match
        if match is not None and "admin" in match.app_names and not is_allowed(request):
            raise PermissionDenied("The admin is not available from your network.")
        if hasattr(view, "cls"):  # a view of Django REST Framework
            return None
        rule = getattr(getattr(view, "view_class", None), "needs", None)
        is_costly = rule is not None and rule.costly
        limits.count_client(request, user=request.user, costly=is_costly)
        usage = limits.usage_of(request)
        if usage is not None and usage.is_exceeded:
            return too_many_requests(request, usage.seconds)
        return None


def too_many_requests(request: HttpRequest, seconds: int) -> HttpResponse:
    """Return a 429 with `Retry-After`."""
    detail = f"Too many requests: try again in {format_count(seconds, 'second')}."
    response = error_response(request, HTTPStatus.TOO_MANY_REQUESTS, detail)
    response.headers["Retry-After"] = str(seconds)
    return response


class ConditionalGet(ConditionalGetMiddleware):
    """Give JSON answers an ETag, and answer 304 to a client that has the same answer already.

    HEAD is answered as GET is, which Django does not do. Pages have a token in each form, so that no two are
    the same.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        is_head = request.method == "HEAD"
        if (
            is_head and isinstance(response, HttpResponse) and response.content
        ):  # which the server leaves out
            request.method = "GET"
        response = super().process_response(request, response)
        if is_head:
            request.method = "HEAD"
        if response.status_code == HTTPStatus.PRECONDITION_FAILED:
            return error_response(request, HTTPStatus.PRECONDITION_FAILED, _OTHER_ANSWER)
        return response

    def needs_etag(self, response: HttpResponseBase) -> bool:
        content_type = response.headers.get("Content-Type", "")
        return content_type.startswith("application/json") and super().needs_etag(response)
