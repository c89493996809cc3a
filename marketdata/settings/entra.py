"""Microsoft Entra ID: tokens of a tenant for the API, and sign-in to the pages. Off by default."""

from typing import Any

from marketdata.settings import env


def from_environment() -> dict[str, Any]:
    """Return the settings of the tenant; empty without ENTRA_TENANT.

    `client` and `secret` are used to sign in to pages, and are empty if only tokens are accepted.
    """
    tenant = env.read("ENTRA_TENANT", str, "")
    if not tenant:
        return {}
    authority = env.read("ENTRA_AUTHORITY", env.url, "https://login.microsoftonline.com")
    same_names = {name: name for name in ("viewer", "analyst", "curator", "admin")}
    return {
        "tenant": tenant,
        "issuer": f"{authority}/{tenant}/v2.0",
        "keys": f"{authority}/{tenant}/discovery/v2.0/keys",
        "authority": f"{authority}/{tenant}/oauth2/v2.0",
        "audience": env.read("ENTRA_AUDIENCE", str),
        "roles": env.read("ENTRA_ROLES", env.pairs, same_names),
        "client": env.read("ENTRA_CLIENT_ID", str, ""),
        "secret": env.read("ENTRA_CLIENT_SECRET", str, ""),
    }
