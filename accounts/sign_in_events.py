"""Write sign-ins, sign-outs and failed sign-ins to the audit trail, as Django's signals report them."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed

from accounts import sign_in_limits
from accounts.models import KnownNetwork, User
from audit import trail
from marketdata.web.address import client_network


def connect_signals() -> None:
    """Connect the receivers. Django's own login views report sign-ins by signals only."""
    user_logged_in.connect(_record_login, dispatch_uid="audit")
    user_logged_out.connect(_record_logout, dispatch_uid="audit")
    user_login_failed.connect(_record_failed_login, dispatch_uid="audit")


def _record_login(*, request: Any, user: User, **signal: Any) -> None:
    trail.record("login", request=request, actor=user.username, about=user, new=_path(request))
    if request is not None:
        sign_in_limits.record_success(request, user.username)
        KnownNetwork.objects.remember(user, client_network(request))


def _record_logout(*, request: Any, user: User | None, **signal: Any) -> None:
    if user is not None:
        trail.record("logout", request=request, actor=user.username, about=user)


def _record_failed_login(
    *, credentials: dict[str, Any], request: Any = None, **signal: Any
) -> None:
    """Record a wrong password, or an attempt that was refused without checking it.

    The object of the event is the user name as typed. The actor is unknown, except when a user who is signed
    in confirms the own password.
    """
    typed_name = str(credentials.get("username", ""))[:150]
    kind = "password" if getattr(request, "confirms_password", False) else "login"
    outcome = "refused" if getattr(request, "sign_in_refusal", "") else "failed"
    trail.record(f"{kind}.{outcome}", request=request, about=typed_name, new=_path(request))


def _path(request: Any) -> dict[str, str] | None:
    """Return the path that was used to sign in, None without a request."""
    return None if request is None else {"path": request.path}
