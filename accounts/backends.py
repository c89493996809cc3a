"""Signing in with a name and a password: how often, and what is said to who tries too often."""

from typing import Any

from axes.helpers import get_cool_off
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from marketdata.common import limits
from marketdata.common.middleware import too_many


class LimitedLogin:
    """Counts every try by address, and by name from everywhere, whether there is such a user or not."""

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
            raise PermissionDenied  # Django asks no further backend


def locked_out(
    request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """What django-axes answers to who is locked out."""
    cool_off = get_cool_off(request)
    return too_many(request, int(cool_off.total_seconds()) if cool_off else 60)
