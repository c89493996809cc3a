"""What holds for pages and API alike: who may come from where, and how often."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from marketdata.common import limits
from marketdata.common.address import is_allowed


class Guard:
    """Keeps the admin to its networks, counts pages, and says in every answer what is left.

    The API counts its requests itself, when it knows the user of a token or the key.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        usage = limits.usage_of(request)
        if getattr(request, "login_refused", False) and usage is not None:
            response = too_many(request, usage.seconds)
        if usage is not None:
            for name, value in usage.headers().items():
                response.headers[name] = value
        return response

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        match = request.resolver_match
        if match is not None and "admin" in match.app_names and not is_allowed(request):
            raise PermissionDenied("The admin is not for the network you are in.")
        if hasattr(view, "cls"):  # of Django REST Framework
            return None
        limits.count_client(request, user=request.user)
        usage = limits.usage_of(request)
        if usage is not None and usage.exceeded:
            return too_many(request, usage.seconds)
        return None


def too_many(request: HttpRequest, seconds: int) -> HttpResponse:
    """429, as a problem for the API and as a page for people."""
    status = HTTPStatus.TOO_MANY_REQUESTS
    said = f"Too many requests: try again in {seconds} seconds."
    response: HttpResponse
    if request.path.startswith("/api/v"):
        problem = {
            "type": "about:blank",
            "title": status.phrase,
            "status": status.value,
            "detail": said,
            "instance": request.path,
        }
        content_type = "application/problem+json"
        response = JsonResponse(problem, status=status, content_type=content_type)
    else:
        response = render(request, "429.html", {"said": said}, status=status)
    response.headers["Retry-After"] = str(seconds)
    return response
