"""Fixtures for accounts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.cache import caches

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


@pytest.fixture
def counting(settings: LazySettings, tmp_path: Path) -> Iterator[None]:
    """Rate limits are counted, in a file, with the default limits."""
    counts = {
        "BACKEND": "marketdata.web.counts.FileCounts",
        "LOCATION": str(tmp_path / "counts.sqlite3"),
    }
    settings.CACHES = {**settings.CACHES, "counts": counts}
    settings.RATELIMIT_ENABLE = True
    caches["counts"].clear()
    yield
    caches["counts"].close()
