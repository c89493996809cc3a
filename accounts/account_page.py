"""The page of the own account: roles, API keys, and the latest events of the audit trail."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.validators import MaxValueValidator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render

from accounts import api_keys, mail_addresses
from accounts.errors import ApiKeyLimitReached, ScopeTooWide
from accounts.models import ApiKey
from accounts.permissions import permission_names
from audit.models import Event
from marketdata.common.errors import InvalidQuery, Unavailable, WrongState
from marketdata.web.access import IN_PERSON, GuardedView

EVENTS_SHOWN = 50
KEYS_SHOWN = 50
_DAYS = 90


class ApiKeyForm(forms.Form):
    """A new API key. The permissions to choose from are those that a key of the user may have."""

    name = forms.CharField(max_length=100, label="Purpose")
    days = forms.IntegerField(min_value=1, initial=_DAYS, label="Days until it expires")
    permissions = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, label="Permissions"
    )

    def __init__(self, user: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = api_keys.grantable_permissions(user)
        reading = [name for name in names if ".view_" in name]
        choices: Any = self.fields["permissions"]
        choices.choices = [(name, name) for name in names]
        choices.initial = reading
        days: Any = self.fields["days"]
        days.validators.append(MaxValueValidator(settings.API_KEY_MAX_DAYS))
        days.widget.attrs["max"] = settings.API_KEY_MAX_DAYS


class AccountView(GuardedView):
    """The own account. A POST creates an API key, whose text this one answer shows."""

    needs = IN_PERSON

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._render(request, ApiKeyForm(request.user))

    def post(self, request: HttpRequest) -> HttpResponse:
        user: Any = request.user
        if not user.has_perm("accounts.add_apikey"):
            raise PermissionDenied("Your roles do not permit you to create API keys.")
        form = ApiKeyForm(user, request.POST)
        key_text = ""
        if form.is_valid():
            try:
                _, key_text = api_keys.create(user, **form.cleaned_data, request=request)
            except (ApiKeyLimitReached, ScopeTooWide) as error:
                form.add_error(None, str(error))
        if key_text:
            form = ApiKeyForm(user)
        return self._render(request, form, key_text=key_text, status=200 if key_text else 400)

    def answer_again(self, request: HttpRequest) -> HttpResponseBase:
        messages.warning(
            request,
            "The form was sent twice, and ignored the second time. If you have not seen the key that it"
            " created, revoke that key and create another one.",
        )
        return super().answer_again(request)

    def _render(
        self, request: HttpRequest, form: ApiKeyForm, *, key_text: str = "", status: int = 200
    ) -> HttpResponse:
        user: Any = request.user
        keys = user.api_keys.prefetch_related("permissions__content_type").order_by("-pk")
        context = {
            "form": form,
            "key_text": key_text,
            "roles": sorted(user.groups.values_list("name", flat=True)),
            "keys": [(key, permission_names(key.permissions.all())) for key in keys[:KEYS_SHOWN]],
            "can_create": user.has_perm("accounts.add_apikey"),
            "can_revoke": user.has_perm("accounts.change_apikey"),
            "events": Event.objects.filter(actor=user.username)[:EVENTS_SHOWN],
        }
        return render(request, "accounts/account.html", context, status=status)


class EmailForm(forms.Form):
    """The own mail address; empty for none."""

    email = forms.EmailField(required=False, max_length=254, label="Mail address")


class OwnEmailView(GuardedView):
    """Send a link to a new mail address of the own, by POST."""

    needs = IN_PERSON
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        user: Any = request.user
        form = EmailForm(request.POST)
        if not form.is_valid():
            messages.error(request, "This is not a mail address.")
            return redirect("account")
        email = form.cleaned_data["email"]
        try:
            is_sent = mail_addresses.ask(user, email, request=request)
        except (WrongState, Unavailable) as error:
            messages.error(request, str(error))
        else:
            messages.success(
                request,
                f"A link was sent to {email}. Open it, and confirm the address."
                if is_sent
                else "Saved.",
            )
        return redirect("account")


class ConfirmEmailView(GuardedView):
    """The page that a link in a mail leads to. A POST confirms the address."""

    needs = IN_PERSON

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        user: Any = request.user
        try:
            context = {"email": mail_addresses.read(user, token)}
        except InvalidQuery as error:
            return render(
                request, "accounts/confirm_email.html", {"problem": str(error)}, status=400
            )
        return render(request, "accounts/confirm_email.html", context)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        user: Any = request.user
        try:
            mail_addresses.confirm(user, token, request=request)
        except InvalidQuery as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"Your mail address is {user.email}.")
        return redirect("account")


class RevokeApiKeyView(GuardedView):
    """End an own API key for good, by POST."""

    needs = IN_PERSON
    http_method_names = ["post"]

    def post(self, request: HttpRequest, prefix: str) -> HttpResponse:
        user: Any = request.user
        if not user.has_perm("accounts.change_apikey"):
            raise PermissionDenied("Your roles do not permit you to revoke API keys.")
        key = ApiKey.objects.filter(owner=user.pk, prefix=prefix).first()
        if key is None:
            raise Http404("There is no such API key among yours.")
        api_keys.revoke(key, request=request)
        messages.success(request, f"{key} is revoked.")
        return redirect("account")
