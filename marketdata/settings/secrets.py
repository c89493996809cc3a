"""Secrets from Azure Key Vault, if AZURE_KEY_VAULT_URL is set; otherwise they are in the environment.

The secret of a variable has its name with hyphens: AZURE_SQL_PASSWORD is `AZURE-SQL-PASSWORD` in the vault.
The vault is reached as the managed identity of this machine, or as the service principal in
AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.
"""

import os
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from marketdata.settings import env
from marketdata.settings.masking import Secret

if TYPE_CHECKING:  # slow to import, and only used if it is configured
    from azure.keyvault.secrets import SecretClient

# Secrets that take effect without a restart when they have changed in the vault.
ROTATED = ("AZURE_SQL_PASSWORD", "ENTRA_CLIENT_SECRET", "OPENFIGI_API_KEY", "SMTP_PASSWORD")
_THIS_MACHINE = {"localhost", "127.0.0.1"}
_CONNECT_SECONDS, _READ_SECONDS = 5, 10


class KeyVault:
    """The secrets of a key vault, each read once and again on request."""

    def __init__(self, client: "SecretClient", *, is_production: bool) -> None:
        self._client = client
        self._is_production = is_production
        self._values: dict[str, str] = {}
        self._lock = threading.Lock()
        self.read_at = time.monotonic()

    def read(self, name: str) -> str:
        """Return a secret by the name of its variable; "" if there is none.

        Outside production, the environment is read for a secret that is not in the vault. In production a
        secret in the environment is refused, so that none is left there by mistake.

        Raises ImproperlyConfigured.
        """
        with self._lock:
            if name not in self._values:
                self._values[name] = self._fetch(name)
        if value := self._values[name]:
            return value
        from_environment = os.environ.get(name, "")
        if from_environment and self._is_production:
            raise ImproperlyConfigured(
                f"{name} is set in the environment, but the key vault has no secret"
                f" {_vault_name(name)}: store it there and remove it from the environment."
            )
        return from_environment

    def refresh(self) -> dict[str, str]:
        """Read the secrets that allow it once more; return those that have changed.

        Raises ImproperlyConfigured if the vault cannot be read; the values stay as they are.
        """
        with self._lock:
            self.read_at = time.monotonic()
            changed = {}
            for name in ROTATED:
                value = self._fetch(name) if self._values.get(name) else ""
                if value and value != self._values[name]:
                    changed[name] = self._values[name] = value
        return {name: Secret(value) for name, value in changed.items()}

    def describe_missing(self, name: str) -> str:
        return f"Store the secret {_vault_name(name)} in the key vault {self._host}: {name} is required."

    @property
    def _host(self) -> str:
        return urlsplit(self._client.vault_url).netloc

    def _fetch(self, name: str) -> str:
        from azure.core.exceptions import (  # noqa: PLC0415  # slow to import
            AzureError,
            HttpResponseError,
            ResourceNotFoundError,
        )

        try:
            return self._client.get_secret(_vault_name(name)).value or ""
        except ResourceNotFoundError:
            return ""
        except (AzureError, ValueError) as error:
            status = f"HTTP {error.status_code}" if isinstance(error, HttpResponseError) else ""
            reason = status or type(error).__name__
            raise ImproperlyConfigured(
                f"{name} could not be read from the key vault {self._host} ({reason}): check"
                " AZURE_KEY_VAULT_URL, the vault's firewall, and that this identity has the role Key Vault"
                " Secrets User."
            ) from None  # an error of the library shows headers


def use_key_vault(*, is_production: bool) -> KeyVault | None:
    """Read secrets from the vault at AZURE_KEY_VAULT_URL from now on; None if it is not set."""
    url = env.read("AZURE_KEY_VAULT_URL", env.url, "")
    if not url:
        return None
    if not url.startswith("https://"):
        raise ImproperlyConfigured("AZURE_KEY_VAULT_URL must begin with https://.")
    vault = KeyVault(_client(url), is_production=is_production)
    env.read_secret, env.describe_missing_secret = vault.read, vault.describe_missing
    return vault


def _client(url: str) -> "SecretClient":
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415  # slow to import
    from azure.keyvault.secrets import SecretClient  # noqa: PLC0415

    return SecretClient(
        url,
        DefaultAzureCredential(),
        connection_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retry_total=2,
        # The library trusts a vault only at Azure's own host names. Tests have one on this machine.
        verify_challenge_resource=urlsplit(url).hostname not in _THIS_MACHINE,
    )


def _vault_name(variable: str) -> str:
    return variable.replace("_", "-")
