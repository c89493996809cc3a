"""The admin site."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponseRedirect

from audit import trail


class AccountsAdminSite(AdminSite):
    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show and process Django's form for the user's own password; write a change to the audit trail."""
        response = super().password_change(request, extra_context)
        if request.method == "POST" and isinstance(response, HttpResponseRedirect):
            user: Any = request.user
            trail.record("user.password", request=request, about=user)
        return response
