"""The one function that writes the audit trail."""

import getpass
from typing import Any

from django.db import models

from audit.models import Event
from marketdata.common.address import client_address


def record(
    action: str,
    *,
    request: Any = None,
    actor: str = "",
    about: models.Model | str | None = None,
    old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None,
) -> Event:
    """Note that `action` was done to `about`; without a request a command did it.

    `request` is Django's or DRF's; `actor` names who it was where the request cannot know it yet. `old`
    and `new` hold what changed, in types that JSON has: never a password, a token or a key.
    """
    event = Event(action=action, old=old, new=new, actor=actor)
    if isinstance(about, models.Model):
        event.object_type = about._meta.label_lower
        event.object_id = str(about)[:200]
    elif about:
        event.object_id = about[:200]
    if request is None:
        event.actor, event.via = actor or _system_user(), "command"
    else:
        event.address = client_address(getattr(request, "_request", request))
        user = getattr(request, "user", None)
        event.actor = (actor or getattr(user, "username", ""))[:150]
        event.via = _way_in(request)
    event.save()
    return event


def _way_in(request: Any) -> str:
    """How the request proved who it is: what authenticated it says so itself."""
    auth = getattr(request, "auth", None)
    if auth is not None:
        return str(getattr(auth, "via", "token"))
    user = getattr(request, "user", None)
    return "session" if user is not None and user.is_authenticated else ""


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return "system"
