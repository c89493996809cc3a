"""Who uses the service, and the keys of their machines."""

from accounts.models.api_key import ApiKey
from accounts.models.user import User

__all__ = ["ApiKey", "User"]
