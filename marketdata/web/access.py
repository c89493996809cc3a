"""Access rules of pages and API operations.

A view declares its rule in `needs`: one rule for a page, or one for each method or action of an API view.
Permissions are Django's, by name ("app.codename"), so that no app needs to know the roles that have them.
"""

import dataclasses
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth.mixins import AccessMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views import View

from marketdata.web import once
from marketdata.web.address import is_allowed


@dataclasses.dataclass(frozen=True)
class Rule:
    """A requirement. `permission` is empty if every user, or everybody, meets it."""

    permission: str = ""
    everybody: bool = False
    anonymous_read: bool = False  # met by everybody if ANONYMOUS_READ is set
    sensitive: bool = False  # permitted only from SENSITIVE_NETWORKS
    costly: bool = False  # also counted towards the limit of costly requests
    by_key: bool = True  # an API key is accepted


def reading(permission: str, *, costly: bool = False) -> Rule:
    """Return the rule of reading data: holders of `permission`, or everybody if ANONYMOUS_READ is set."""
    return Rule(permission, anonymous_read=True, costly=costly)


def holding(
    permission: str, *, sensitive: bool = False, costly: bool = False, by_key: bool = True
) -> Rule:
    """Return a rule that only holders of `permission` meet."""
    return Rule(permission, sensitive=sensitive, costly=costly, by_key=by_key)


PUBLIC = Rule(everybody=True)
SIGNED_IN = Rule()  # for what users may do with their own account
IN_PERSON = Rule(by_key=False)  # the same, but not with an API key


def is_met(rule: Rule, user: Any) -> bool:
    """Return whether a user meets a rule. Networks and API keys are checked by the callers."""
    if rule.everybody or (rule.anonymous_read and settings.ANONYMOUS_READ):
        return True
    if not user.is_authenticated:
        return False
    return not rule.permission or bool(user.has_perm(rule.permission))


def may_see_user_name(user: Any, username: str = "") -> bool:
    """Return True if this user may see a user name: the own one, or any with the right to view users."""
    if not user.is_authenticated:
        return False
    return bool(user.has_perm("accounts.view_user")) or username == user.get_username()


class GuardedView(AccessMixin, View):
    """A page with a rule. Anonymous users are sent to sign in; others who do not meet the rule get a 403.

    A form with an id (`marketdata.web.once`) is carried out once, unless it is answered with an error.
    """

    needs: Rule

    def dispatch(self, request: HttpRequest, *args: str, **kwargs: str) -> HttpResponseBase:
        if self.needs.sensitive and not is_allowed(request):
            raise PermissionDenied("This is not permitted from your network.")
        if not is_met(self.needs, request.user):
            self.permission_denied_message = "Your roles do not permit you to see this page."
            return self.handle_no_permission()
        view = super().dispatch
        return once.respond(
            request,
            lambda: view(request, *args, **kwargs),
            again=lambda: self.answer_again(request),
            is_carried_out=lambda response: response.status_code < HTTPStatus.BAD_REQUEST,
        )

    def answer_again(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a form that was sent before: by default with the page itself."""
        return redirect(request.path)
