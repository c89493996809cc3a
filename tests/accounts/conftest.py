"""A tenant of Entra ID that the service trusts."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from accounts import entra
from tests.issuer import Issuer, running_issuer


@pytest.fixture
def issuer(settings: LazySettings) -> Iterator[Issuer]:
    with running_issuer() as running:
        settings.ENTRA = running.settings()
        settings.AUTHENTICATION_BACKENDS = [
            *settings.AUTHENTICATION_BACKENDS,
            "accounts.sign_in.EntraBackend",
        ]
        yield running
    entra._keys.cache_clear()
