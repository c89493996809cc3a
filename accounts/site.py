"""The admin's own pages, as far as they are about accounts."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponseRedirect

from audit import trail


class AccountsAdminSite(AdminSite):
    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Django's page for one's own password; the trail hears of it."""
        response = super().password_change(request, extra_context)
        if request.method == "POST" and isinstance(response, HttpResponseRedirect):
            user: Any = request.user
            trail.record("user.password", request=request, about=user)
        return response
