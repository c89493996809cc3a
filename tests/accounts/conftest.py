"""Fixtures for accounts."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from accounts import entra
from tests.issuer import Issuer, running_issuer


@pytest.fixture
def issuer(settings: LazySettings) -> Iterator[Issuer]:
    """A running issuer of tokens, configured as the Entra ID tenant."""
    with running_issuer() as running:
        settings.ENTRA = running.settings()
        settings.AUTHENTICATION_BACKENDS = [
            *settings.AUTHENTICATION_BACKENDS,
            "accounts.entra_sign_in.EntraBackend",
        ]
        yield running
    entra._signing_keys.cache_clear()
