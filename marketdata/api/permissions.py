"""Who may do what: each view says in `needs` what each method, or action, takes.

needs = {"list": reading("esma_files.view_esmafile"),
         "delete": holding("esma_files.delete_esmafile", sensitive=True)}
"""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from marketdata.common.access import Rule, is_met
from marketdata.common.address import is_allowed

if TYPE_CHECKING:  # DRF reads this module while it is itself being imported
    from rest_framework.views import APIView


def rule_of(view: Any, method: str) -> Rule | None:
    """The rule for this method, or None where the view has no such method.

    The browsable API asks for other methods than that of the request: so the action is looked up by it.
    """
    needs: dict[str, Rule] = getattr(view, "needs", {})
    if method in ("OPTIONS", "HEAD"):
        method = "GET" if "GET" in view.allowed_methods else next(iter(view.allowed_methods))
    action = (getattr(view, "action_map", None) or {}).get(method.lower(), "")
    if not action and not hasattr(view, method.lower()):
        return None
    rule = needs.get(action) or needs.get(method)
    if rule is None:
        name = type(view).__name__
        raise ImproperlyConfigured(f"{name}.needs has no rule for {action or method}.")
    return rule


class Needs(BasePermission):
    """Everything is closed that no rule opens."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        rule = rule_of(view, str(request.method))
        if rule is None:
            return True  # there is no such method: 405 says so
        if rule.sensitive and not is_allowed(request._request):
            raise PermissionDenied("This is not for the network you are in.")
        if not rule.by_key and getattr(request.auth, "is_api_key", False):
            raise PermissionDenied("This is for people: sign in, an API key will not do.")
        if not is_met(rule, request.user):
            if request.user.is_authenticated:
                raise PermissionDenied(f"You may not do this: it needs {rule.permission}.")
            return False
        return True
