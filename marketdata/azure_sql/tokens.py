"""Entra tokens for Azure SQL. azure-identity caches them and renews them before they expire."""

import functools
import time
from typing import Any

from azure.core.exceptions import AzureError
from django.db import OperationalError

# The audience of tokens for Azure SQL.
SCOPE = "https://database.windows.net/.default"
# A connection is closed this many seconds before its token expires.
MARGIN_SECONDS = 300


@functools.cache
def credential(tenant: str, client: str, secret: str) -> Any:
    """Return the credential of this process: a service principal with a secret, else the managed identity.

    With neither it is whatever azure-identity finds: a workload identity, or `az login` on a developer's
    machine.
    """
    # Imported here, as it is slow and only needed with Entra.
    from azure.identity import ClientSecretCredential, DefaultAzureCredential  # noqa: PLC0415

    if secret:
        return ClientSecretCredential(tenant, client, secret)
    options = {"managed_identity_client_id": client} if client else {}
    return DefaultAzureCredential(
        exclude_interactive_browser_credential=True,
        additionally_allowed_tenants=[tenant] if tenant else [],
        **options,
    )


def get_token(credential: Any) -> Any:
    """Return a token that is valid for some minutes: `.token`, and `.expires_on` in seconds since 1970.

    Raises OperationalError if Entra issues none.
    """
    try:
        return credential.get_token(SCOPE)
    except AzureError as error:
        reason = str(error).partition("\n")[0]
        raise OperationalError(f"Entra issued no token for the database: {reason}") from error


def seconds_left(expires_on: float, now: float | None = None) -> float:
    """Return the seconds for which a connection may use a token; 0 if it must be renewed first."""
    return max(0.0, expires_on - (time.time() if now is None else now) - MARGIN_SECONDS)
