"""Write sign-ins, sign-outs and failed sign-ins to the audit trail, as Django's signals report them."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed

from accounts.models import User
from audit import trail


def connect_signals() -> None:
    """Connect the receivers. Django's own login views report sign-ins by signals only."""
    user_logged_in.connect(_record_login, dispatch_uid="audit")
    user_logged_out.connect(_record_logout, dispatch_uid="audit")
    user_login_failed.connect(_record_failed_login, dispatch_uid="audit")


def _record_login(*, request: Any, user: User, **signal: Any) -> None:
    trail.record("login", request=request, actor=user.username, about=user, new=_path(request))


def _record_logout(*, request: Any, user: User | None, **signal: Any) -> None:
    if user is not None:
        trail.record("logout", request=request, actor=user.username, about=user)


def _record_failed_login(
    *, credentials: dict[str, Any], request: Any = None, **signal: Any
) -> None:
    """Record the user name as typed as the object of the event, since the actor is unknown."""
    typed_name = str(credentials.get("username", ""))[:150]
    trail.record("login.failed", request=request, about=typed_name, new=_path(request))


def _path(request: Any) -> dict[str, str] | None:
    """Return the path that was used to sign in, None without a request."""
    return None if request is None else {"path": request.path}
