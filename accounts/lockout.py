"""Lock-out of a user name at a network after wrong passwords, by django-axes."""

from typing import Any

from axes.backends import AxesStandaloneBackend
from axes.exceptions import AxesBackendPermissionDenied
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from accounts import sign_in_limits
from audit import trail
from marketdata.web.address import network_of
from marketdata.web.middleware import too_many_requests


class LockoutBackend(AxesStandaloneBackend):  # type: ignore[misc]
    """Authentication backend that refuses attempts of a locked-out user name and network."""

    def authenticate(
        self, request: HttpRequest, username: str | None = None, **credentials: Any
    ) -> None:
        try:
            super().authenticate(request, username=username, **credentials)
        except AxesBackendPermissionDenied as error:
            raise sign_in_limits.refuse(request, "lockout") from error


class AttemptHandler(AxesDatabaseHandler):  # type: ignore[misc]
    """Stores wrong passwords; an attempt that was refused by a limit is not one."""

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: Any = None, **signal: Any
    ) -> None:
        if getattr(request, "sign_in_refusal", "") != "limit":
            super().user_login_failed(sender, credentials, request, **signal)

    def reset_attempts(
        self,
        *,
        ip_address: str | None = None,
        username: str | None = None,
        ip_or_username: bool = False,
    ) -> int:
        """Unlock, as the commands axes_reset* do, and write it to the audit trail."""
        criteria = []
        if ip_address:
            criteria.append(Q(ip_address=network_of(ip_address)))
        if username:
            criteria.append(Q(username=sign_in_limits.canonical_name(username)))
        connector = Q.OR if ip_or_username else Q.AND
        return unlock(AccessAttempt.objects.filter(Q(*criteria, _connector=connector)))


def unlock(attempts: QuerySet[AccessAttempt], *, request: Any = None) -> int:
    """End the lock-outs of these attempts and return the number of user names and networks.

    Each is written to the audit trail.
    """
    pairs = set(attempts.values_list("username", "ip_address"))
    attempts.delete()
    for username, network in sorted(pairs):
        sign_in_limits.forgive(username, network)
        trail.record("login.unlocked", request=request, about=username, old={"network": network})
    return len(pairs)


def unlock_name(username: str) -> int:
    """End all lock-outs of a user name, and return the number of networks."""
    name = sign_in_limits.canonical_name(username)
    return unlock(AccessAttempt.objects.filter(username=name))


def canonical_username(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """Return the user name that django-axes stores attempts under."""
    return sign_in_limits.canonical_name(str((credentials or {}).get("username") or ""))


def lockout_response(
    request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """Return the 429 that django-axes answers a locked-out client with."""
    cool_off = get_cool_off(request)
    return too_many_requests(request, int(cool_off.total_seconds()) if cool_off else 60)
