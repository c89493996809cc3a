"""Pages of a user's webhooks: their state, what was sent, and what they are sent."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render

from instruments.models import Webhook
from instruments.webhooks import keeping, selection
from marketdata.common.errors import InvalidQuery, NotInDatabase, WrongState
from marketdata.web.access import GuardedView, holding

_KEEP = holding(keeping.KEEP)
_SHOWN = 50  # deliveries


class WebhookForm(forms.Form):
    """An address, and the changes that it is sent."""

    url = forms.CharField(max_length=500, label="Address", help_text="https://, and public")
    with_record = forms.BooleanField(required=False, label="Send all fields of the listings")
    registers = forms.CharField(required=False, max_length=20, label="Registers, as ESMA")
    categories = forms.CharField(required=False, max_length=40, label="Categories, as E D")
    mics = forms.CharField(required=False, max_length=5_000, label="Venues (MIC)")
    kinds = forms.CharField(required=False, max_length=200, label="Kinds, as new ended")
    isins = forms.CharField(
        required=False,
        max_length=20_000,
        label="ISINs, FIGIs or tickers",
        help_text="What is empty does not matter; conditions are met together",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )

    def get_values(self) -> dict[str, Any]:
        """Return the values of a webhook."""
        values = self.cleaned_data
        conditions = {name: values[name].replace(",", " ").split() for name in selection.CONDITIONS}
        return {"url": values["url"], "with_record": values["with_record"], "filter": conditions}

    def refuse(self, error: InvalidQuery | WrongState) -> None:
        """Show an error beside its field."""
        name = getattr(error, "parameter", None)
        self.add_error(name if name in self.fields else None, str(error))


class WebhooksView(GuardedView):
    """The user's webhooks, and a form for a new one, whose secret this one answer shows."""

    needs = _KEEP

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(request, WebhookForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = WebhookForm(request.POST)
        if form.is_valid():
            try:
                webhook = keeping.create(
                    request.user.get_username(), **form.get_values(), request=request
                )
            except (InvalidQuery, WrongState) as error:
                form.refuse(error)
            else:
                return self._show(request, WebhookForm(), new=webhook)
        return self._show(request, form, status=400)

    def answer_again(self, request: HttpRequest) -> HttpResponseBase:
        messages.warning(
            request,
            "The form was sent twice, and ignored the second time. If you have not seen the secret of the"
            " webhook that it created, delete that webhook and create another one.",
        )
        return super().answer_again(request)

    def _show(
        self,
        request: HttpRequest,
        form: WebhookForm,
        *,
        new: Webhook | None = None,
        status: int = 200,
    ) -> HttpResponse:
        context = {
            "form": form,
            "webhooks": Webhook.objects.filter(owner=request.user.get_username()),
            "new": new,
            "secret": keeping.format_secret(new) if new else "",
        }
        return render(request, "instruments/webhooks.html", context, status=status)


class WebhookView(GuardedView):
    """A webhook with its last deliveries, and forms that change, replay or delete it, or renew its secret."""

    needs = _KEEP

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        webhook = self._get(request, number)
        return self._show(request, webhook, self._make_form(webhook))

    def post(self, request: HttpRequest, number: int) -> HttpResponse:
        webhook = self._get(request, number)
        action = request.POST.get("action")
        if action == "delete":
            keeping.delete(webhook, request=request)
            return redirect("webhooks")
        if action == "secret":
            keeping.renew_secret(webhook, request=request)
            return self._show(
                request, webhook, self._make_form(webhook), secret=keeping.format_secret(webhook)
            )
        form = WebhookForm(request.POST)
        try:
            if action in ("on", "off"):
                keeping.change(webhook, {"is_active": action == "on"}, request=request)
            elif action == "replay":
                keeping.replay(webhook, request.POST.get("since", "")[:100], request=request)
            elif form.is_valid():
                keeping.change(webhook, form.get_values(), request=request)
            else:
                return self._show(request, webhook, form, status=400)
        except InvalidQuery as error:
            if action == "replay":
                messages.error(request, str(error))
                return redirect("webhook", number=number)
            form.refuse(error)
            return self._show(request, webhook, form, status=400)
        messages.success(request, "Saved.")
        return redirect("webhook", number=number)

    def _get(self, request: HttpRequest, number: int) -> Webhook:
        try:
            return keeping.get_webhook(number, request.user.get_username())
        except NotInDatabase as error:
            raise Http404(str(error)) from error

    def _make_form(self, webhook: Webhook) -> WebhookForm:
        conditions = {name: " ".join(webhook.filter.get(name, ())) for name in selection.CONDITIONS}
        values = {"url": webhook.url, "with_record": webhook.with_record, **conditions}
        return WebhookForm(initial=values)

    def _show(
        self,
        request: HttpRequest,
        webhook: Webhook,
        form: WebhookForm,
        *,
        secret: str = "",
        status: int = 200,
    ) -> HttpResponse:
        context = {
            "webhook": webhook,
            "secret": secret,
            "form": form,
            "deliveries": webhook.deliveries.all()[:_SHOWN],
        }
        return render(request, "instruments/webhook.html", context, status=status)
