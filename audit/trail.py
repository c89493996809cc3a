"""Write events to the audit trail."""

import getpass
from typing import Any

from django.db import models

from audit.models import Event
from marketdata.web.address import client_address


def record(
    action: str,
    *,
    request: Any = None,
    actor: str = "",
    about: models.Model | str | None = None,
    old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None,
) -> Event:
    """Write an event to the audit trail and return it.

    `request` is Django's or DRF's; without one, the event is that of a command. `actor` is the user name,
    needed only if the request does not have the user. `about` is the object of the action, or its name.
    `old` and `new` are values before and after the action, in JSON types: never passwords, tokens or keys.
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
        event.via = _way_of_authentication(request)
    event.save()
    return event


def _way_of_authentication(request: Any) -> str:
    """Return the `via` of the token or API key, "session" for a session, "" for an anonymous request."""
    auth = getattr(request, "auth", None)
    if auth is not None:
        return str(getattr(auth, "via", "token"))
    user = getattr(request, "user", None)
    return "session" if user is not None and user.is_authenticated else ""


def _system_user() -> str:
    """Return the name of the operating system's user, "system" in a container whose user has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "system"
