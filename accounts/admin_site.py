"""The admin site."""

from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse

from accounts.views import OwnPasswordView


class AccountsAdminSite(AdminSite):
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
