"""Signing in and out on pages, and one's own password there. What is typed is counted by the back ends."""

from typing import Any

from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.http import HttpResponse
from django.urls import reverse_lazy

from audit import trail


class SignIn(LoginView):
    template_name = "accounts/sign_in.html"


class SignOut(LogoutView):
    next_page = "sign-in"


class Password(PasswordChangeView):
    """All other sessions, and all tokens, end."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("search")

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        trail.record("user.password", request=self.request, about=form.user)
        return response
