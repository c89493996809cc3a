"""Users, and clients that ask in their name."""

from typing import Any

from django.test import Client

from accounts import lifecycle, tokens
from accounts.models import User

PASSWORD = "correct horse 7 battery"
API = "/api/v1"


def make(username: str, role: str = "viewer") -> User:
    return lifecycle.create(username, password=PASSWORD, roles=[role])


class Caller:
    """Asks the API with one Authorization header, in JSON."""

    def __init__(self, authorization: str = "") -> None:
        self.client = Client(headers={"authorization": authorization} if authorization else None)

    def __call__(self, method: str, path: str, data: Any = None, **kwargs: Any) -> Any:
        ask = getattr(self.client, method)
        if method == "get":
            return ask(f"{API}{path}", data, **kwargs)
        return ask(f"{API}{path}", data, content_type="application/json", **kwargs)


def with_token(user: User) -> Caller:
    return Caller(f"Bearer {tokens.issue(user)['access']}")


def signed_in(username: str, role: str = "viewer") -> Caller:
    """A new user with this role, who asks with an access token."""
    return with_token(make(username, role))
