"""The permission class of every API view: the view's `needs` has a rule for each method or action.

needs = {
    "list": reading("esma_files.view_esmafile"),
    "delete": holding("esma_files.delete_esmafile", sensitive=True),
}
"""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from marketdata.api import parameters
from marketdata.web.access import Rule, is_met
from marketdata.web.address import is_allowed

if TYPE_CHECKING:  # DRF imports this module while rest_framework.views is being imported.
    from rest_framework.views import APIView


def get_rule(view: Any, method: str) -> Rule | None:
    """Return the rule of a view for an HTTP method; None if the view does not have this method."""
    rule: Rule | None = parameters.get_for_method(view, getattr(view, "needs", {}), method)
    if rule is not None:
        return rule
    method = parameters.get_described_method(view, method)
    action = (getattr(view, "action_map", None) or {}).get(method.lower(), "")
    if not action and not hasattr(view, method.lower()):
        return None
    raise ImproperlyConfigured(f"{type(view).__name__}.needs has no rule for {action or method}.")


class Needs(BasePermission):
    """Permit a request only if the caller meets the view's rule. A view without a rule is an error."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        rule = get_rule(view, str(request.method))
        if rule is None:
            return True  # The view answers 405.
        if rule.sensitive and not is_allowed(request._request):
            raise PermissionDenied("This is not permitted from your network.")
        if not rule.by_key and getattr(request.auth, "is_api_key", False):
            raise PermissionDenied("An API key is not accepted here. Sign in as a user.")
        if not is_met(rule, request.user):
            if request.user.is_authenticated:
                raise PermissionDenied(f"This requires the permission {rule.permission}.")
            return False
        return True
