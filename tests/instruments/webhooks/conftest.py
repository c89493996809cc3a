"""A receiver of webhooks, and a curator who may keep some."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.test import Client

from accounts.models import User
from tests.accounts.clients import make_user
from tests.instruments.webhooks.receiving import Receiver, receiving


@pytest.fixture
def receiver(settings: LazySettings) -> Iterator[Receiver]:
    settings.WEBHOOK_PRIVATE_ADDRESSES = True
    with receiving() as running:
        yield running


@pytest.fixture
def curator(db: None) -> Client:
    user = make_user("carla", "curator")
    User.objects.filter(pk=user.pk).update(email="carla@example.org")
    client = Client()
    client.force_login(user)
    return client
