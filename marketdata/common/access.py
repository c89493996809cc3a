"""What a page or an endpoint needs: its rule, and who meets it.

A view names its rule in `needs`: one for all, or one for each method or action. Permissions are Django's,
by name ("app.codename"), so that no app needs to know the roles that hold them.
"""

import dataclasses
from typing import Any

from django.conf import settings
from django.contrib.auth.mixins import AccessMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import View

from marketdata.common.address import is_allowed


@dataclasses.dataclass(frozen=True)
class Rule:
    """One requirement. `permission` is empty where any user, or everybody, will do."""

    permission: str = ""
    everybody: bool = False
    anonymous_read: bool = False  # the setting ANONYMOUS_READ is enough
    sensitive: bool = False  # only from SENSITIVE_NETWORKS
    costly: bool = False  # counted by the limit for costly work too
    by_key: bool = True  # an API key will do


def reading(permission: str, *, costly: bool = False) -> Rule:
    """For what `permission` holds, and for everybody where ANONYMOUS_READ is on."""
    return Rule(permission, anonymous_read=True, costly=costly)


def holding(
    permission: str, *, sensitive: bool = False, costly: bool = False, by_key: bool = True
) -> Rule:
    """For who holds `permission`."""
    return Rule(permission, sensitive=sensitive, costly=costly, by_key=by_key)


PUBLIC = Rule(everybody=True)
SIGNED_IN = Rule()  # what one may do with one's own account...
IN_PERSON = Rule(by_key=False)  # ... and what a machine with a key may not


def is_met(rule: Rule, user: Any) -> bool:
    """Whether this user may do what the rule guards; networks and keys are looked at elsewhere."""
    if rule.everybody or (rule.anonymous_read and settings.ANONYMOUS_READ):
        return True
    if not user.is_authenticated:
        return False
    return not rule.permission or bool(user.has_perm(rule.permission))


class GuardedView(AccessMixin, View):
    """A page with a rule: who does not meet it signs in, or is told that it is not for them."""

    needs: Rule

    def dispatch(self, request: HttpRequest, *args: str, **kwargs: str) -> HttpResponseBase:
        if self.needs.sensitive and not is_allowed(request):
            raise PermissionDenied("This is not for the network you are in.")
        if not is_met(self.needs, request.user):
            self.permission_denied_message = "Your roles do not let you see this page."
            return self.handle_no_permission()
        return super().dispatch(request, *args, **kwargs)
