"""Users, their API keys, and the networks that they have signed in from."""

from accounts.models.api_key import ApiKey
from accounts.models.known_network import KnownNetwork
from accounts.models.user import User

__all__ = ["ApiKey", "KnownNetwork", "User"]
