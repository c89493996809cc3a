"""Changes are sent to webhooks, signed as Standard Webhooks describes (standardwebhooks.com, version 1).

A webhook is sent the changes after its cursor, which moves on when it has answered 2xx. What was not
received is sent again, with growing pauses, so a receiver may get a change twice, and never misses one.
"""

import base64
import dataclasses
import datetime as dt
import hashlib
import hmac
import logging
import smtplib
import time

import orjson
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import send_mail
from django.utils import timezone

from instruments.listings import changes
from instruments.models import Delivery, Webhook
from instruments.webhooks import keeping, selection
from marketdata.common import posting
from marketdata.common.errors import MarketDataError

logger = logging.getLogger(__name__)

PAGE = 100  # changes of a message
_MAX_PAGES = 50  # for one webhook at a time, before others have their turn
_CLAIM = dt.timedelta(minutes=5)  # longer than a message takes


def send_due() -> int:
    """Send what has changed to all webhooks that are due; return the number of messages received."""
    due = Webhook.objects.filter(is_active=True, next_attempt_at__lte=timezone.now())
    return sum(_send_to(webhook) for webhook in due.order_by("next_attempt_at", "pk"))


def _claim(webhook: Webhook) -> bool:
    """Return True if no other worker sends to this webhook now."""
    until = timezone.now() + _CLAIM
    unclaimed = Webhook.objects.filter(
        pk=webhook.pk, is_active=True, next_attempt_at=webhook.next_attempt_at
    )
    if not unclaimed.update(next_attempt_at=until):
        return False
    webhook.next_attempt_at = until
    return True


def _send_to(webhook: Webhook) -> int:
    """Send messages until there are no more changes or one fails; return the number of messages received."""
    received = 0
    for _ in range(_MAX_PAGES):
        if not _claim(webhook):
            return received
        if reason := _get_reason_against(webhook):
            _disable(webhook, reason)
            return received
        try:
            page = _read_page(webhook)
        except MarketDataError as error:
            _disable(webhook, f"{error} Replay it from a time.")
            return received
        if page.changes and not _deliver(webhook, page):
            return received
        received += bool(page.changes)
        claimed = Webhook.objects.filter(pk=webhook.pk, cursor=webhook.cursor)
        values = {"failures": 0, "problem": "", "next_attempt_at": timezone.now()}
        # A replay that was requested in between keeps its cursor.
        if not claimed.update(cursor=str(page.cursor), **values) or not page.has_more:
            Webhook.objects.filter(pk=webhook.pk).update(**values)
            return received
        webhook.refresh_from_db()
    return received


def _read_page(webhook: Webhook) -> changes.Page:
    """Return the next changes to be sent, which may be none of those that are read. Raises InvalidQuery."""
    if not webhook.filter:
        return changes.read_page(webhook.cursor, PAGE, with_record=webhook.with_record)
    limit = changes.MAX_RECORDS if webhook.with_record else changes.MAX_LIMIT
    page = changes.read_page(webhook.cursor, limit, with_record=webhook.with_record)
    selected = selection.select(page.changes, webhook.filter)
    if len(selected) <= PAGE:
        return dataclasses.replace(page, changes=selected)
    cursor = changes.parse_cursor(selected[PAGE - 1]["cursor"])
    return changes.Page(selected[:PAGE], cursor, has_more=True)


def _get_reason_against(webhook: Webhook) -> str:
    """Return the reason why a webhook is sent nothing; "" if there is none."""
    users = get_user_model()._default_manager
    owner = users.filter(username=webhook.owner, is_active=True).first()
    if owner is None or not owner.has_perm(keeping.KEEP):
        return "Its owner may not keep webhooks any more."
    return ""


def sign(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a message: HMAC-SHA256 of id, time (seconds) and body, with points between."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()}"


def _make_id(webhook: Webhook, page: changes.Page) -> str:
    """Return the id of a message: the same for the same changes alone.

    Receivers ignore an id that they know. A replay may end with the same change as an earlier message, and
    begin before it.
    """
    content = f"{webhook.salt} {page.cursor} ".encode() + orjson.dumps(page.changes)
    return f"msg_{hashlib.sha256(content).hexdigest()[:32]}"


def _deliver(webhook: Webhook, page: changes.Page) -> bool:
    """Send one message, and log it; return True if it was received."""
    cursor = str(page.cursor)
    message_id = _make_id(webhook, page)
    content = {"type": "listings.changed", "webhook": webhook.pk, "cursor": cursor}
    body = orjson.dumps({**content, "more": page.has_more, "changes": page.changes})
    timestamp = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": settings.HTTP_USER_AGENT,
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(timestamp),
        "Webhook-Signature": " ".join(
            sign(secret, message_id, timestamp, body) for secret in keeping.get_secrets(webhook)
        ),
    }
    begin, status, problem = time.monotonic(), None, ""
    try:
        status = posting.post(
            webhook.url,
            body,
            headers=headers,
            allow_private=settings.WEBHOOK_PRIVATE_ADDRESSES,
        )
        if not 200 <= status < 300:
            problem = f"It answered {status}."
    except MarketDataError as error:
        problem = str(error)[:500]
    Delivery.objects.create(
        webhook=webhook,
        message_id=message_id,
        changes=len(page.changes),
        cursor=cursor,
        status=status,
        milliseconds=int((time.monotonic() - begin) * 1_000),
        problem=problem,
    )
    _forget_old_deliveries(webhook)
    if problem:
        _count_failure(webhook, problem)
    return not problem


def _forget_old_deliveries(webhook: Webhook) -> None:
    last_kept = webhook.deliveries.values_list("pk", flat=True)[Delivery.KEPT - 1 : Delivery.KEPT]
    if keys := list(last_kept):
        webhook.deliveries.filter(pk__lt=keys[0]).delete()


def _count_failure(webhook: Webhook, problem: str) -> None:
    webhook.failures += 1
    if webhook.failures >= settings.WEBHOOK_MAX_FAILURES:
        _disable(
            webhook,
            f"{webhook.failures} attempts in a row have failed, the last one with: {problem}",
        )
        return
    next_attempt_at = timezone.now() + keeping.get_pause(webhook.failures)
    Webhook.objects.filter(pk=webhook.pk).update(
        failures=webhook.failures, problem=problem, next_attempt_at=next_attempt_at
    )


def _disable(webhook: Webhook, reason: str) -> None:
    """Switch a webhook off, and tell its owner by mail."""
    Webhook.objects.filter(pk=webhook.pk).update(
        is_active=False, failures=webhook.failures, problem=reason[:500]
    )
    logger.warning("%s is switched off: %s", webhook, reason)
    users = get_user_model()._default_manager
    owner = users.filter(username=webhook.owner, is_active=True).exclude(email="").first()
    if owner is None:
        return
    text = f"{webhook.url}\n\n{reason}\n\nTo go on, switch it on again, or replay it from a cursor."
    try:
        send_mail(f"MarketData: {webhook} is switched off", text, None, [owner.email])
    # ValueError: the address, which a tenant of Entra ID may have given, is none.
    except (OSError, ValueError, smtplib.SMTPException) as error:
        logger.error("The notice of %s was not sent: %s", webhook, error)
