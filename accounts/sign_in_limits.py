"""Limits on attempts to sign in with a user name and a password."""

from typing import Any

from axes.helpers import get_cool_off
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from marketdata.common import limits
from marketdata.common.middleware import too_many


class SignInLimitBackend:
    """Authentication backend that refuses attempts beyond the limits `login` and `name`.

    It signs nobody in. Attempts are counted by address, and by user name over all addresses, whether the
    user exists or not.
    """

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, **credentials: Any
    ) -> None:
        if request is None or username is None:
            return
        usages = [
            limits.count(request, "login"),
            limits.count(request, "name", who=username.casefold()),
        ]
        limits.note(request, usages)
        usage = limits.usage_of(request)
        if usage is not None and usage.exceeded:
            request.login_refused = True  # type: ignore[attr-defined]
            raise PermissionDenied  # so Django asks no other backend


def lockout_response(
    request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """Return the 429 that django-axes answers a locked-out client with."""
    cool_off = get_cool_off(request)
    return too_many(request, int(cool_off.total_seconds()) if cool_off else 60)
