"""Count requests against the limits in `settings.LIMITS`."""

import dataclasses
import logging
import sqlite3
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_ratelimit.core import get_usage

from marketdata.common.logs import REPEATED

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Usage:
    """The use of one rate: `used` of `limit` requests, with `seconds` until the count starts again."""

    rate: str
    limit: int
    used: int
    seconds: int

    @property
    def left(self) -> int:
        return max(self.limit - self.used, 0)

    @property
    def is_exceeded(self) -> bool:
        return self.used > self.limit

    def headers(self) -> dict[str, str]:
        headers = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.left),
            "RateLimit-Reset": str(self.seconds),
        }
        return headers | ({"Retry-After": str(self.seconds)} if self.is_exceeded else {})


def counting_errors() -> tuple[type[Exception], ...]:
    """Return the errors that counting may raise.

    The library of Redis takes a sixth of the time to start any process, so it is imported after an error.
    """
    from redis.exceptions import RedisError  # noqa: PLC0415

    return RedisError, sqlite3.Error, OSError


def count(
    request: HttpRequest, name: str, *, client: str = "", increment: bool = True
) -> Usage | None:
    """Count a request against every rate of the limit `name`, for `client` or for the client's address.

    Returns the usage of the rate that is nearest to its end, None if counting is switched off or fails. A
    failure is logged and the request is answered: the lock-out of sign-ins is kept in the database.
    Without `increment` the usage is only read.
    """
    usages = []
    for rate in settings.LIMITS[name]:
        key: Any = (lambda group, request: client) if client else "ip"
        try:
            counts = get_usage(request, group=name, key=key, rate=rate, increment=increment)
        except counting_errors() as error:
            log.error("Requests are not counted: %s", error, extra=REPEATED)
            return None
        if counts is not None:
            usages.append(
                Usage(
                    rate=rate,
                    limit=counts["limit"],
                    used=counts["count"],
                    seconds=max(counts["time_left"], 1),
                )
            )
    return min(usages, key=_nearness_to_end, default=None)


def count_client(request: HttpRequest, *, user: Any, key: Any = None, costly: bool = False) -> None:
    """Count a request once for its API key, its user or its address, and keep the usage on the request.

    Costly requests are also counted for the user, or the owner of the API key: more keys allow no more of
    them. Requests of an admin who browses are not counted: the limits are made for clients.
    """
    is_user = user is not None and user.is_authenticated
    user_client = f"user {user.pk}" if is_user else ""
    if key is None and is_user and _is_browsing(request) and _is_admin(user):
        request.is_counted = True  # type: ignore[attr-defined]
        return
    if not is_counted(request):
        request.is_counted = True  # type: ignore[attr-defined]
        if key is not None:
            keep(request, count(request, key.limit_name, client=f"key {key.pk}"))
        elif is_user:
            keep(request, count(request, user.limit_name, client=user_client))
        else:
            keep(request, count(request, "anonymous"))
    if costly:
        keep(request, count(request, "costly", client=user_client))


def _is_admin(user: Any) -> bool:
    return bool(user.is_superuser or user.limit_name == "admin")


def _is_browsing(request: HttpRequest) -> bool:
    """Return True for a request with a session, as browsers send it, and no token or API key."""
    return (
        "HTTP_AUTHORIZATION" not in request.META and settings.SESSION_COOKIE_NAME in request.COOKIES
    )


def is_counted(request: HttpRequest) -> bool:
    """Return True if `count_client` has counted this request."""
    return getattr(request, "is_counted", False)


def keep(request: HttpRequest, usage: Usage | None) -> None:
    """Keep a usage on the request, for middleware and views, if it is the nearest to its end so far."""
    usages = [usage for usage in (usage, usage_of(request)) if usage is not None]
    if usages:
        request.limit_usage = min(usages, key=_nearness_to_end)  # type: ignore[attr-defined]


def count_costly(request: HttpRequest) -> int:
    """Count a costly request of a page that has others; return the seconds to wait, 0 within the limit."""
    count_client(request, user=request.user, costly=True)
    usage = usage_of(request)
    return usage.seconds if usage is not None and usage.is_exceeded else 0


def usage_of(request: HttpRequest) -> Usage | None:
    """Return the usage kept on the request."""
    return getattr(request, "limit_usage", None)


def add_headers(response: HttpResponseBase, request: HttpRequest) -> None:
    """Add the headers of the usage kept on the request."""
    usage = usage_of(request)
    if usage is not None:
        for name, value in usage.headers().items():
            response.headers[name] = value


def _nearness_to_end(usage: Usage) -> tuple[bool, int]:
    return (not usage.is_exceeded, usage.left)
