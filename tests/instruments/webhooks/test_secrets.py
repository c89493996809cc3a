"""Secrets of webhooks: they are renewed, and for a while messages are signed with two."""

import base64
import datetime as dt
import re
import secrets
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from audit.models import Event
from instruments.models import Webhook
from instruments.webhooks import keeping, sending
from tests.accounts.clients import make_user
from tests.instruments.webhooks.receiving import Receiver

ROOT = "/api/v1/webhooks/"

pytestmark = pytest.mark.usefixtures("real_instruments")


def create(client: Client, receiver: Receiver) -> Any:
    return client.post(ROOT, {"url": receiver.url}, "application/json").json()


def count_signatures(receiver: Receiver, *keys: str) -> tuple[int, list[bool]]:
    """Send all changes; return the signatures of a message, and whether one is that of each key."""
    [webhook] = Webhook.objects.all()
    keeping.replay(webhook, "2000-01-01")
    sending.send_due()
    headers, body = receiver.messages[-1]
    signatures = headers["webhook-signature"].split(" ")
    identifier, timestamp = headers["webhook-id"], int(headers["webhook-timestamp"])
    return len(signatures), [
        sending.sign(base64.b64decode(key.removeprefix("whsec_")), identifier, timestamp, body)
        in signatures
        for key in keys
    ]


def test_a_new_secret_signs_beside_the_one_before_for_a_day(
    curator: Client, receiver: Receiver
) -> None:
    made = create(curator, receiver)
    renew = f"{ROOT}{made['number']}/secret/"

    renewed = curator.post(renew)

    assert renewed.status_code == 200, renewed.content
    assert renewed.headers["Cache-Control"] == "no-store"
    first, second = made["secret"], renewed.json()["secret"]
    assert count_signatures(receiver, first, second) == (2, [True, True])
    assert Event.objects.get(action="webhook.secret").object_id == f"webhook {made['number']}"
    third = curator.post(renew).json()["secret"]
    assert count_signatures(receiver, first, second, third) == (2, [False, True, True])
    Webhook.objects.update(secret_changed_at=timezone.now() - dt.timedelta(hours=25))
    assert count_signatures(receiver, first, second, third) == (1, [False, False, True])


def test_another_user_cannot_renew_a_secret(curator: Client, receiver: Receiver) -> None:
    made = create(curator, receiver)
    other = Client()
    other.force_login(make_user("olga", "curator"))

    assert other.post(f"{ROOT}{made['number']}/secret/").status_code == 404
    assert count_signatures(receiver, made["secret"]) == (1, [True])


def test_secrets_survive_a_change_of_the_signing_key(
    curator: Client, receiver: Receiver, settings: LazySettings
) -> None:
    made = create(curator, receiver)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = secrets.token_urlsafe(48)

    assert count_signatures(receiver, made["secret"]) == (2, [True])
    renewed = curator.post(f"{ROOT}{made['number']}/secret/").json()["secret"]
    settings.SECRET_KEY_FALLBACKS = []
    assert count_signatures(receiver, made["secret"], renewed) == (2, [False, True])


def test_the_page_shows_a_new_secret_once(curator: Client, receiver: Receiver) -> None:
    made = create(curator, receiver)
    address = f"/webhooks/{made['number']}/"

    shown = curator.post(address, {"action": "secret"}).content.decode()

    [secret] = re.findall("whsec_[A-Za-z0-9+/=]+", shown)
    assert secret != made["secret"]
    assert count_signatures(receiver, made["secret"], secret) == (2, [True, True])
    assert "whsec_" not in curator.get(address).content.decode()
