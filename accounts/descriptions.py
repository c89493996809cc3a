"""Users and API keys as dictionaries of plain values, as the API and the commands present them."""

from typing import Any

from accounts.models import ApiKey, User
from accounts.permissions import permission_names
from marketdata.common.plain import describe_columns

USER_COLUMNS = (
    *("username", "email", "roles", "is_active", "is_staff", "is_superuser", "last_login"),
    "date_joined",
)
API_KEY_COLUMNS = (
    *("prefix", "name", "owner", "state", "permissions", "created_at", "expires_at", "revoked_at"),
    "last_used_at",
)
_COMPUTED = ("owner", "permissions")


def describe_user(user: User) -> dict[str, Any]:
    """Return a user account, without the password."""
    return describe_columns(user, USER_COLUMNS)


def describe_api_key(api_key: ApiKey) -> dict[str, Any]:
    """Return an API key, without its text."""
    return {
        **describe_columns(api_key, (name for name in API_KEY_COLUMNS if name not in _COMPUTED)),
        "owner": api_key.owner.username,
        "permissions": permission_names(api_key.permissions.all()),
    }
