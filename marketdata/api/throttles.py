"""The limits of the API, by user, key or address."""

from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from marketdata.api.permissions import rule_of
from marketdata.common import limits

if TYPE_CHECKING:  # DRF reads this module while it is itself being imported
    from rest_framework.views import APIView


class Limits(BaseThrottle):
    """DRF's throttles read a list and write it back, which loses counts: this one counts on."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        rule = rule_of(view, str(request.method))
        count(request, costly=rule is not None and rule.costly)
        usage = limits.usage_of(request._request)
        self._seconds = usage.seconds if usage else None
        return usage is None or not usage.exceeded

    def wait(self) -> float | None:
        return self._seconds


def count(request: Request, *, costly: bool = False) -> None:
    key = request.auth if getattr(request.auth, "is_api_key", False) else None
    limits.count_client(request._request, user=request.user, key=key, costly=costly)
