"""Take over secrets that have changed in the key vault, without a restart."""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

logger = logging.getLogger(__name__)


def rotate_if_due(**signal: Any) -> None:
    """Refresh the secrets every KEY_VAULT_REFRESH_SECONDS; called before each request and task."""
    vault = settings.KEY_VAULT
    if vault is None or time.monotonic() - vault.read_at < settings.KEY_VAULT_REFRESH_SECONDS:
        return
    try:
        changed = vault.refresh()
    except ImproperlyConfigured as error:
        logger.error("Secrets could not be refreshed: %s", error)
        return
    for name, value in changed.items():
        _APPLY[name](value)
        logger.warning("%s has changed in the key vault and is used from now on.", name)


def _use_database_password(password: str) -> None:
    """Use the password for new connections; open ones stay as they are."""
    for alias in connections:
        if connections.settings[alias]["ENGINE"] == "marketdata.azure_sql":
            connections.settings[alias]["PASSWORD"] = password
    if "azure_sql" in settings.NAMED_DATABASES:
        settings.NAMED_DATABASES["azure_sql"]["PASSWORD"] = password


def _use_entra_secret(secret: str) -> None:
    settings.ENTRA["secret"] = secret


def _use_openfigi_key(key: str) -> None:
    settings.OPENFIGI_API_KEY = key


def _use_mail_password(password: str) -> None:
    settings.EMAIL_HOST_PASSWORD = password


_APPLY: dict[str, Callable[[str], None]] = {
    "AZURE_SQL_PASSWORD": _use_database_password,
    "ENTRA_CLIENT_SECRET": _use_entra_secret,
    "OPENFIGI_API_KEY": _use_openfigi_key,
    "SMTP_PASSWORD": _use_mail_password,
}
