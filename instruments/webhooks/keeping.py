"""Create, change and describe webhooks. Users see only their own."""

import base64
import datetime as dt
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from audit import trail
from instruments.listings import changes
from instruments.models import Delivery, Webhook
from instruments.webhooks import selection
from marketdata.common import posting
from marketdata.common.errors import NotInDatabase, WrongState
from marketdata.common.plain import describe_columns

KEEP = "instruments.keep_webhook"
# How long messages are also signed with the previous secret.
OVERLAP = dt.timedelta(days=1)
_COLUMNS = (
    *("url", "with_record", "filter", "is_active", "cursor", "failures"),
    *("next_attempt_at", "problem", "created_at"),
)
_DELIVERY_COLUMNS = (
    *("message_id", "sent_at", "changes", "cursor", "status", "milliseconds", "problem"),
)


def get_webhook(number: int, owner: str) -> Webhook:
    """Return a webhook of a user. Raises NotInDatabase, also for one of another user."""
    webhook = Webhook.objects.filter(pk=number, owner=owner).first()
    if webhook is None:
        raise NotInDatabase(f"You have no webhook {number}.")
    return webhook


def create(
    owner: str,
    *,
    url: str,
    with_record: bool = False,
    filter: Mapping[str, Sequence[str]] | None = None,  # noqa: A002  # as in the API
    request: Any = None,
) -> Webhook:
    """Create a webhook that is sent the changes from now on. Raises InvalidQuery, WrongState."""
    conditions = selection.check(filter or {})
    posting.check_new_address(url, allow_private=settings.WEBHOOK_PRIVATE_ADDRESSES)
    if Webhook.objects.filter(owner=owner).count() >= Webhook.MAX_OF_USER:
        raise WrongState(f"You have {Webhook.MAX_OF_USER} webhooks: delete one first.")
    webhook = Webhook.objects.create(
        owner=owner,
        url=url,
        with_record=with_record,
        filter=conditions,
        cursor=str(changes.get_last_cursor()),
        salt=secrets.token_hex(16),
    )
    trail.record(
        "webhook.create", request=request, about=webhook, new={"url": url, "filter": conditions}
    )
    return webhook


def change(webhook: Webhook, values: dict[str, Any], *, request: Any = None) -> None:
    """Change the address, the form, the filter or the state; a webhook that is switched on is tried at once.

    Raises InvalidQuery.
    """
    if "url" in values:
        posting.check_new_address(values["url"], allow_private=settings.WEBHOOK_PRIVATE_ADDRESSES)
    if "filter" in values:
        values = {**values, "filter": selection.check(values["filter"])}
    old = {name: getattr(webhook, name) for name in values}
    for name, value in values.items():
        setattr(webhook, name, value)
    fields = set(values)
    if webhook.is_active:
        webhook.failures, webhook.problem, webhook.next_attempt_at = 0, "", timezone.now()
        fields |= {"failures", "problem", "next_attempt_at"}
    webhook.save(update_fields=fields)
    trail.record("webhook.change", request=request, about=webhook, old=old, new=values)


def replay(webhook: Webhook, since: str, *, request: Any = None) -> None:
    """Send again from a cursor or a time, and switch the webhook on. Raises InvalidQuery."""
    webhook.cursor = str(changes.parse_cursor(since))
    webhook.save(update_fields=["cursor"])
    change(webhook, {"is_active": True}, request=request)


def delete(webhook: Webhook, *, request: Any = None) -> None:
    trail.record("webhook.delete", request=request, about=webhook, old={"url": webhook.url})
    webhook.delete()


def renew_secret(webhook: Webhook, *, request: Any = None) -> None:
    """Give a webhook another secret. Messages are also signed with the previous one for OVERLAP."""
    webhook.secret_number += 1
    webhook.secret_changed_at = timezone.now()
    webhook.save(update_fields=["secret_number", "secret_changed_at"])
    trail.record("webhook.secret", request=request, about=webhook)


def get_secrets(webhook: Webhook) -> list[bytes]:
    """Return the keys with which messages are signed now, that of its owner first.

    Beside it, they are the previous one for OVERLAP, and those of SECRET_KEY_PREVIOUS.
    """
    changed_at = webhook.secret_changed_at
    is_overlapping = changed_at is not None and timezone.now() < changed_at + OVERLAP
    numbers = [webhook.secret_number, webhook.secret_number - 1][: 2 if is_overlapping else 1]
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [_derive_secret(webhook, number, key) for key in keys for number in numbers]


def _derive_secret(webhook: Webhook, number: int, key: str) -> bytes:
    value = f"{webhook.pk}.{number}" if number else str(webhook.pk)
    name = f"marketdata.webhook.{webhook.salt}"
    return salted_hmac(name, value, secret=key, algorithm="sha256").digest()


def format_secret(webhook: Webhook) -> str:
    """Return the key as the libraries of Standard Webhooks take it."""
    return f"whsec_{base64.b64encode(get_secrets(webhook)[0]).decode()}"


def describe(webhook: Webhook) -> dict[str, Any]:
    return {"number": webhook.pk, **describe_columns(webhook, _COLUMNS)}


def describe_delivery(delivery: Delivery) -> dict[str, Any]:
    return describe_columns(delivery, _DELIVERY_COLUMNS)


def get_pause(failures: int) -> dt.timedelta:
    """Return the pause after failures: one minute, doubled with each, 6 hours at most."""
    return min(dt.timedelta(minutes=2 ** min(failures - 1, 10)), dt.timedelta(hours=6))
