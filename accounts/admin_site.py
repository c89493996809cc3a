"""The admin site."""

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase, HttpResponseRedirectBase
from django.shortcuts import redirect
from django.urls import reverse

from accounts.views import OwnPasswordView
from marketdata.web import once


class AccountsAdminSite(AdminSite):
    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        """Wrap a view of the admin: its forms with an id (`marketdata.web.once`) are carried out once.

        The admin redirects after it has done something, and shows a form with errors again.
        """

        @functools.wraps(view)
        def carry_out_once(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return once.respond(
                request,
                lambda: view(request, *args, **kwargs),
                again=lambda: _answer_again(request),
                is_carried_out=lambda answer: isinstance(answer, HttpResponseRedirectBase),
            )

        return super().admin_view(carry_out_once, cacheable)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the form to sign in, or a 403 to users who may not use the admin."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied("Your roles do not permit you to use the admin.")
        return super().login(request, extra_context)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Change the own password. Unlike Django's view, it limits guesses of the old one and is audited."""
        view = OwnPasswordView.as_view(
            template_name="registration/password_change_form.html",
            success_url=reverse("admin:password_change_done", current_app=self.name),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        request.current_app = self.name
        return view(request)


def _answer_again(request: HttpRequest) -> HttpResponseBase:
    """Answer a form that was sent before with the list that has what it created."""
    messages.warning(
        request, "The form was sent twice, and ignored the second time. Its result is in this list."
    )
    return redirect(
        urljoin(request.path, "../") if request.path.endswith("/add/") else request.path
    )
