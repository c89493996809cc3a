"""Microsoft Entra ID: tokens of a tenant for the API, sign-in for the pages. Off unless configured."""

from typing import Any

from marketdata.settings import env


def from_environment() -> dict[str, Any]:
    """What accounts need to know of a tenant; empty without ENTRA_TENANT.

    `client` and `secret` are for signing in to pages, and empty where only tokens are accepted.
    """
    tenant = env.read("ENTRA_TENANT", str, "")
    if not tenant:
        return {}
    authority = env.read("ENTRA_AUTHORITY", str, "https://login.microsoftonline.com").rstrip("/")
    same = {name: name for name in ("viewer", "analyst", "curator", "admin")}
    return {
        "tenant": tenant,
        "issuer": f"{authority}/{tenant}/v2.0",
        "keys": f"{authority}/{tenant}/discovery/v2.0/keys",
        "authority": f"{authority}/{tenant}/oauth2/v2.0",
        "audience": env.read("ENTRA_AUDIENCE", str),
        "roles": env.read("ENTRA_ROLES", env.pairs, same),
        "client": env.read("ENTRA_CLIENT_ID", str, ""),
        "secret": env.read("ENTRA_CLIENT_SECRET", str, ""),
    }
