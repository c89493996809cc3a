"""Counting requests against the one table of limits, `settings.LIMITS`."""

import dataclasses
import logging
import sqlite3
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage
from redis.exceptions import RedisError

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Usage:
    """How much of one rate is used: `left` requests in the `seconds` until the count begins anew."""

    rate: str
    limit: int
    left: int
    seconds: int
    exceeded: bool

    def headers(self) -> dict[str, str]:
        said = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.left),
            "RateLimit-Reset": str(self.seconds),
        }
        return said | ({"Retry-After": str(self.seconds)} if self.exceeded else {})


def count(request: HttpRequest, row: str, *, who: str = "") -> Usage | None:
    """Count one request against every rate of a row, for `who` or for the client's address.

    Returns the rate that is nearest to its end, None where nothing is counted. Counts out of reach
    are logged and stop nobody: the lock-out of sign-ins is kept in the database.
    """
    usages = []
    for rate in settings.LIMITS[row]:
        key: Any = (lambda group, request: who) if who else "ip"
        try:
            found = get_usage(request, group=row, key=key, rate=rate, increment=True)
        except (RedisError, sqlite3.Error, OSError) as error:
            log.error("Requests are not counted: %s", error)
            return None
        if found is not None:
            usages.append(_usage(rate, found))
    return min(usages, key=lambda usage: (not usage.exceeded, usage.left), default=None)


def count_client(request: HttpRequest, *, user: Any, key: Any = None, costly: bool = False) -> None:
    """Count a request for its key, its user, or its address; the answer is noted on the request."""
    if key is not None:
        row, who = key.limit_name, f"key {key.pk}"
    elif user is not None and user.is_authenticated:
        row, who = user.limit_name, f"user {user.pk}"
    else:
        row, who = "anonymous", ""
    usages = [count(request, row, who=who)]
    if costly:
        usages.append(count(request, "costly", who=who))
    note(request, usages)


def note(request: HttpRequest, usages: list[Usage | None]) -> None:
    """Keep what is nearest to its end on the request, where the middleware and the views find it."""
    known = [usage for usage in [*usages, usage_of(request)] if usage is not None]
    if known:
        nearest = min(known, key=lambda usage: (not usage.exceeded, usage.left))
        request.limit_usage = nearest  # type: ignore[attr-defined]


def usage_of(request: HttpRequest) -> Usage | None:
    return getattr(request, "limit_usage", None)


def _usage(rate: str, found: dict[str, Any]) -> Usage:
    return Usage(
        rate=rate,
        limit=found["limit"],
        left=max(found["limit"] - found["count"], 0),
        seconds=max(found["time_left"], 1),
        exceeded=found["should_limit"],
    )
