"""Users, and clients of the API that send requests as these users."""

from typing import Any

from django.test import Client

from accounts import tokens, users
from accounts.models import User

PASSWORD = "correct horse 7 battery"
API = "/api/v1"


def make_user(username: str, role: str = "viewer") -> User:
    return users.create(username, password=PASSWORD, roles=[role])


class ApiClient:
    """A client that sends JSON to the API, with one value of the header Authorization."""

    def __init__(self, authorization: str = "") -> None:
        self.client = Client(headers={"authorization": authorization} if authorization else None)

    def __call__(self, method: str, path: str, data: Any = None, **kwargs: Any) -> Any:
        send = getattr(self.client, method)
        if method == "get":
            return send(f"{API}{path}", data, **kwargs)
        return send(f"{API}{path}", data, content_type="application/json", **kwargs)


def client_with_token(user: User) -> ApiClient:
    return ApiClient(f"Bearer {tokens.issue(user)['access']}")


def client_of_new_user(username: str, role: str = "viewer") -> ApiClient:
    """Create a user with this role, and return a client with an access token of this user."""
    return client_with_token(make_user(username, role))


def sign_in_by_api(username: str, password: str, address: str = "203.0.113.1") -> Any:
    credentials = {"username": username, "password": password}
    return ApiClient()("post", "/auth/token/", credentials, REMOTE_ADDR=address)


def sign_in_on_page(
    username: str, password: str, path: str = "/admin/login/", address: str = "203.0.113.1"
) -> Any:
    form = {"username": username, "password": password, "next": "/admin/"}
    return Client().post(path, form, REMOTE_ADDR=address)
