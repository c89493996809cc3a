"""Pages for signing in and out, and for changing the own password."""

from typing import Any

from django import forms
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy

from accounts.sign_in_limits import confirm_password
from audit import trail


class SignInView(LoginView):
    """Sign in with a user name and a password; accounts.sign_in_limits counts the attempts."""

    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True


class SignOutView(LogoutView):
    next_page = "sign-in"


class OwnPasswordForm(PasswordChangeForm):
    """Django's form, which limits and locks out guesses of the old password as those of signing in."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        if not confirm_password(self.request, self.user, password):
            raise forms.ValidationError(
                self.error_messages["password_incorrect"], code="password_incorrect"
            )
        return password


class OwnPasswordView(PasswordChangeView):
    """Change the own password, which ends all other sessions and all tokens of the user."""

    form_class = OwnPasswordForm
    template_name = "accounts/password.html"
    success_url = reverse_lazy("search")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        trail.record("user.password", request=self.request, about=form.user)
        return response
