"""Forms that create something are carried out once, also if a reload or a double click sends them twice.

Each such form that is shown has an id, from the template tag `form_id`. The first request with an id claims
it before anything is created, in the counts that all processes share. If nothing is created in the end, the
id is released: the form may be sent again. `GuardedView` does this for every page, and the admin site for
every page of the admin.
"""

import contextlib
import logging
import re
import secrets
from collections.abc import Callable

from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from marketdata.common.logs import REPEATED
from marketdata.web import limits

log = logging.getLogger(__name__)

NAME = "form_id"
_ID = re.compile("[A-Za-z0-9_-]{16}")


def make_id() -> str:
    """Return the id of a form, for its hidden field."""
    return secrets.token_urlsafe(12)


def respond(
    request: HttpRequest,
    view: Callable[[], HttpResponseBase],
    *,
    again: Callable[[], HttpResponseBase],
    is_carried_out: Callable[[HttpResponseBase], bool],
) -> HttpResponseBase:
    """Return the response of a view, or that of `again` if the form of the request was sent before.

    `is_carried_out` tells from the response of the view whether something may have been created.
    """
    if not _claim(request):
        return again()
    has_created = False
    try:
        response = view()
        has_created = is_carried_out(response)
    finally:
        if not has_created:
            release(request)
    return response


def _claim(request: HttpRequest) -> bool:
    """Claim the form of a request; return False if it was sent before.

    A form without an id is always carried out, and so is every form while nothing can be counted.
    """
    if not (key := _get_key(request)):
        return True
    counts = caches["counts"]
    try:
        counts.add(key, 0, settings.SESSION_COOKIE_AGE)
        if counts.incr(key) == 1:
            return True
        counts.incr(key, -1)
    except ValueError:  # the counts have been cleared since `add`
        return True
    except limits.counting_errors() as error:
        log.error("Forms that are sent twice are not recognized: %s", error, extra=REPEATED)
        return True
    return False


def release(request: HttpRequest) -> None:
    """Let a form be sent again that was claimed, and has created nothing."""
    if key := _get_key(request):
        try:
            # The counts may have been cleared, and the claim with them.
            with contextlib.suppress(ValueError):
                caches["counts"].incr(key, -1)
        except limits.counting_errors() as error:
            log.error("A form cannot be sent again: %s", error, extra=REPEATED)


def _get_key(request: HttpRequest) -> str:
    """Return the key of the form of a user; "" for a request without one."""
    identity = request.POST.get(NAME, "") if request.method == "POST" else ""
    return f"form {request.user.pk} {identity}" if _ID.fullmatch(identity) else ""
