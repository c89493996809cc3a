"""Entra tokens for Azure SQL, from azure-identity: it keeps them, and renews them before they end."""

import functools
import time
from typing import Any

from azure.core.exceptions import AzureError
from django.db import OperationalError

# Azure SQL takes tokens for this audience only.
SCOPE = "https://database.windows.net/.default"
# A connection that lives on its token is closed this many seconds before the token ends.
MARGIN_SECONDS = 300


@functools.cache
def credential(tenant: str, client: str, secret: str) -> Any:
    """Who this process is: a service principal with a secret, else the managed identity.

    With neither, what azure-identity finds: a workload's identity, `az login` on a developer's machine.
    """
    # Slow to import, and needed with Entra only.
    from azure.identity import ClientSecretCredential, DefaultAzureCredential  # noqa: PLC0415

    if secret:
        return ClientSecretCredential(tenant, client, secret)
    known = {"managed_identity_client_id": client} if client else {}
    return DefaultAzureCredential(
        exclude_interactive_browser_credential=True,
        additionally_allowed_tenants=[tenant] if tenant else [],
        **known,
    )


def token_of(credential: Any) -> Any:
    """A token that is good for minutes at least: `.token`, and `.expires_on` in seconds since 1970.

    Raises OperationalError where Entra gives none.
    """
    try:
        return credential.get_token(SCOPE)
    except AzureError as error:
        reason = str(error).partition("\n")[0]
        raise OperationalError(f"Entra gave no token for the database: {reason}") from error


def seconds_left(expires_on: float, now: float | None = None) -> float:
    """How long a connection may live on a token; 0 where it has to be renewed first."""
    return max(0.0, expires_on - (time.time() if now is None else now) - MARGIN_SECONDS)
