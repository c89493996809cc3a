"""Network restrictions, rate limits, and refusal of credentials in addresses, of pages and API."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from marketdata.common import limits
from marketdata.common.address import is_allowed
from marketdata.common.credentials import has_credentials
from marketdata.common.error_pages import error_response

_CREDENTIALS_IN_ADDRESS = (
    "API keys and tokens are not accepted in addresses, which are logged. Send them in the header"
    " Authorization, and revoke the one that was sent."
)


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
        if usage is not None:
            for name, value in usage.headers().items():
                response.headers[name] = value
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        match = request.resolver_match
        if match is not None and "admin" in match.app_names and not is_allowed(request):
            raise PermissionDenied("The admin is not available from your network.")
        if hasattr(view, "cls"):  # a view of Django REST Framework
            return None
        limits.count_client(request, user=request.user)
        usage = limits.usage_of(request)
        if usage is not None and usage.is_exceeded:
            return too_many_requests(request, usage.seconds)
        return None


def too_many_requests(request: HttpRequest, seconds: int) -> HttpResponse:
    """Return a 429 with `Retry-After`."""
    detail = f"Too many requests: try again in {seconds} seconds."
    response = error_response(request, HTTPStatus.TOO_MANY_REQUESTS, detail)
    response.headers["Retry-After"] = str(seconds)
    return response
