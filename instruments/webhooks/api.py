"""Webhooks over the API. Users see only their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from instruments.listings import changes
from instruments.models import Delivery, Register, Webhook
from instruments.webhooks import keeping, selection
from marketdata.api.openapi import path_parameter
from marketdata.api.parameters import StrictSerializer
from marketdata.api.problems import documented
from marketdata.api.views import ApiView
from marketdata.common.errors import InvalidQuery
from marketdata.web.access import holding

_KEEP = holding(keeping.KEEP)
_NUMBER = path_parameter("number", "Number of a webhook", pattern="^[0-9]{1,18}$")
_FULL = documented({409: f"You have {Webhook.MAX_OF_USER} webhooks already."})
_URL = "Address that begins with https:// and is public"


class WebhookFilterSerializer(StrictSerializer):
    """The changes that are sent: those that meet all conditions."""

    registers = serializers.ListField(
        child=serializers.ChoiceField(choices=Register.choices),
        required=False,
        max_length=selection.MAX_CODES,
    )
    categories = serializers.ListField(
        child=serializers.CharField(max_length=1),
        required=False,
        max_length=selection.MAX_CODES,
        help_text="First letters of CFI codes",
    )
    mics = serializers.ListField(
        child=serializers.CharField(max_length=4), required=False, max_length=selection.MAX_CODES
    )
    isins = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        max_length=selection.MAX_CODES,
        help_text="ISINs, or FIGIs or tickers, for which the ISINs of their instruments are kept",
    )
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=changes.KINDS),
        required=False,
        max_length=selection.MAX_CODES,
        help_text="Kinds of changes",
    )


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    """A webhook."""

    number = serializers.IntegerField()
    filter = WebhookFilterSerializer(help_text="Empty: all changes are sent")

    class Meta:
        model = Webhook
        fields: tuple[str, ...] = (
            *("number", "url", "with_record", "filter", "is_active", "cursor", "failures"),
            *("next_attempt_at", "problem", "created_at"),
        )
        read_only_fields = fields


class WebhookWithSecretSerializer(WebhookSerializer):
    """A webhook with a new secret, which is shown only in this response."""

    secret = serializers.CharField(help_text="Key of the signatures, as whsec_...")

    class Meta(WebhookSerializer.Meta):
        fields = (*WebhookSerializer.Meta.fields, "secret")
        read_only_fields = fields


class NewWebhookSerializer(StrictSerializer):
    """A webhook to be created."""

    url = serializers.CharField(max_length=500, help_text=_URL)
    with_record = serializers.BooleanField(
        default=False, help_text="Send every published field of the listings, too"
    )
    filter = WebhookFilterSerializer(required=False, help_text="Default: send all changes")


class WebhookChangeSerializer(StrictSerializer):
    """The fields of a webhook that can be changed."""

    url = serializers.CharField(max_length=500, required=False, help_text=_URL)
    with_record = serializers.BooleanField(required=False)
    filter = WebhookFilterSerializer(required=False, help_text="{} for all changes")
    is_active = serializers.BooleanField(required=False)


class ReplaySerializer(StrictSerializer):
    """The place from which changes are sent again."""

    since = serializers.CharField(
        max_length=100, help_text="A cursor of the changes feed, or a date or date-time"
    )


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """An attempt to send changes."""

    class Meta:
        model = Delivery
        fields = (
            *("message_id", "sent_at", "changes", "cursor", "status", "milliseconds", "problem"),
        )
        read_only_fields = fields


@contextmanager
def _paths_in_body() -> Iterator[None]:
    """Have errors of conditions name their paths in the body."""
    try:
        yield
    except InvalidQuery as error:
        if error.parameter not in selection.CONDITIONS:
            raise
        raise InvalidQuery(f"filter.{error.parameter}", str(error)) from error


def _with_secret(
    webhook: Webhook, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    data = {**keeping.describe(webhook), "secret": keeping.format_secret(webhook)}
    return Response(data, status=status, headers={**(headers or {}), "Cache-Control": "no-store"})


class WebhookViewSet(ApiView, viewsets.GenericViewSet[Webhook]):
    """Webhooks: addresses to which changes of listings are sent, signed by HMAC."""

    title = "Webhooks"
    needs = dict.fromkeys(
        (
            "list",
            "create",
            "retrieve",
            "partial_update",
            "destroy",
            "deliveries",
            "replay",
            "secret",
        ),
        _KEEP,
    )
    serializer_class = WebhookSerializer
    filter_backends = ()
    lookup_field = "number"
    lookup_value_regex = "[0-9]{1,18}"

    def _get(self) -> Webhook:
        return keeping.get_webhook(int(self.kwargs["number"]), self.request.user.get_username())

    @extend_schema(summary="List your webhooks", responses=WebhookSerializer(many=True))
    def list(self, request: Request) -> Response:
        webhooks = Webhook.objects.filter(owner=request.user.get_username())
        page: Any = self.paginate_queryset(webhooks)
        return self.get_paginated_response([keeping.describe(webhook) for webhook in page])

    @extend_schema(
        summary="Create a webhook, which is sent the changes from now on",
        request=NewWebhookSerializer,
        responses={201: WebhookWithSecretSerializer, **_FULL},
    )
    def create(self, request: Request) -> Response:
        body = self.read_body(NewWebhookSerializer)
        with _paths_in_body():
            webhook = keeping.create(request.user.get_username(), **body, request=request)
        location = reverse("webhook-detail", args=[webhook.pk], request=request)
        return _with_secret(webhook, status=201, headers={"Location": location})

    @extend_schema(summary="Get a webhook", parameters=[_NUMBER], responses=WebhookSerializer)
    def retrieve(self, request: Request, number: str) -> Response:
        return Response(keeping.describe(self._get()))

    @extend_schema(
        summary="Change a webhook, or switch it off or on",
        parameters=[_NUMBER],
        request=WebhookChangeSerializer,
        responses=WebhookSerializer,
    )
    def partial_update(self, request: Request, number: str) -> Response:
        body = self.read_body(WebhookChangeSerializer)
        webhook = self._get()
        with _paths_in_body():
            keeping.change(webhook, body, request=request)
        return Response(keeping.describe(webhook))

    @extend_schema(summary="Delete a webhook", parameters=[_NUMBER], responses={204: None})
    def destroy(self, request: Request, number: str) -> Response:
        keeping.delete(self._get(), request=request)
        return Response(status=204)

    @extend_schema(
        summary=f"List the last {Delivery.KEPT} attempts to send, newest first",
        parameters=[_NUMBER],
        responses=DeliverySerializer(many=True),
    )
    @action(detail=True, serializer_class=DeliverySerializer)
    def deliveries(self, request: Request, number: str) -> Response:
        deliveries: Any = self._get().deliveries.all()[: Delivery.KEPT]
        page: Any = self.paginate_queryset(deliveries)
        return self.get_paginated_response([keeping.describe_delivery(row) for row in page])

    @extend_schema(
        summary="Send changes again from a cursor or a time, and switch the webhook on",
        parameters=[_NUMBER],
        request=ReplaySerializer,
        responses=WebhookSerializer,
    )
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, number: str) -> Response:
        body = self.read_body(ReplaySerializer)
        webhook = self._get()
        keeping.replay(webhook, body["since"], request=request)
        return Response(keeping.describe(webhook))

    @extend_schema(
        summary="Give a webhook a new secret",
        description="Messages are also signed with the previous secret for"
        f" {keeping.OVERLAP.days * 24} hours, so that the receiver can be changed meanwhile.",
        parameters=[_NUMBER],
        request=None,
        responses=WebhookWithSecretSerializer,
    )
    @action(detail=True, methods=["post"])
    def secret(self, request: Request, number: str) -> Response:
        webhook = self._get()
        keeping.renew_secret(webhook, request=request)
        return _with_secret(webhook)
