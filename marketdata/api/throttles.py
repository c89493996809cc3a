"""Request limits of the API, by user, API key or client address."""

from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from marketdata.api.permissions import get_rule
from marketdata.web import limits, slots

if TYPE_CHECKING:  # DRF imports this module while rest_framework.views is being imported.
    from rest_framework.views import APIView


class Limits(BaseThrottle):
    """Count requests against `settings.LIMITS`, and costly ones that run at the same time.

    DRF's own throttles read a list from the cache and write it back, which loses concurrent requests.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        rule = get_rule(view, str(request.method))
        is_costly = rule is not None and rule.costly
        count(request, costly=is_costly)
        usage = limits.usage_of(request._request)
        self._seconds = usage.seconds if usage else None
        if usage is not None and usage.is_exceeded:
            return False
        if is_costly:
            user = f"user {request.user.pk}" if request.user.is_authenticated else ""
            if not slots.begin_costly(request._request, user):
                self._seconds = slots.RETRY_AFTER_SECONDS
                return False
        return True

    def wait(self) -> float | None:
        """Return the seconds until the client may try again."""
        return self._seconds


def count(request: Request, *, costly: bool = False) -> None:
    """Count a request for its API key, its user or its address."""
    auth = request.auth
    key = auth if getattr(auth, "is_api_key", False) else None
    limits.count_client(request._request, user=request.user, key=key, costly=costly)
