"""Pages for signing in and out, and for changing the own password."""

from typing import Any

from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.http import HttpResponse
from django.urls import reverse_lazy

from audit import trail


class SignInView(LoginView):
    """Sign in with a user name and a password; accounts.sign_in_limits counts the attempts."""

    template_name = "accounts/sign_in.html"


class SignOutView(LogoutView):
    next_page = "sign-in"


class OwnPasswordView(PasswordChangeView):
    """Change the own password, which ends all other sessions and all tokens of the user."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("search")

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        trail.record("user.password", request=self.request, about=form.user)
        return response
