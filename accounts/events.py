"""What Django tells of signing in and out, in the audit trail."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed

from accounts.models import User
from audit import trail


def listen() -> None:
    """Receive Django's signals: its own login pages say by nothing else what they did."""
    user_logged_in.connect(_logged_in, dispatch_uid="audit")
    user_logged_out.connect(_logged_out, dispatch_uid="audit")
    user_login_failed.connect(_login_failed, dispatch_uid="audit")


def _logged_in(*, request: Any, user: User, **signal: Any) -> None:
    trail.record("login", request=request, actor=user.username, about=user, new=_at(request))


def _logged_out(*, request: Any, user: User | None, **signal: Any) -> None:
    if user is not None:
        trail.record("logout", request=request, actor=user.username, about=user)


def _login_failed(*, credentials: dict[str, Any], request: Any = None, **signal: Any) -> None:
    """The name as it was typed stands in `about`: nobody has shown to be the actor."""
    typed = str(credentials.get("username", ""))[:150]
    trail.record("login.failed", request=request, about=typed, new=_at(request))


def _at(request: Any) -> dict[str, str] | None:
    """Which of the ways in it was."""
    return None if request is None else {"path": request.path}
