"""API keys and tokens are refused in addresses, masked in logs, and not stored by caches."""

import io
import logging
from collections.abc import Iterator
from logging.config import DictConfigurator
from urllib.parse import quote

import pytest
from django.conf import settings
from django.test import Client

from accounts import api_keys, tokens
from accounts.models import User
from tests.accounts.clients import PASSWORD, ApiClient, client_of_new_user, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("anonymous_reading")]


@pytest.fixture
def bob() -> User:
    return make_user("bob")


def make_key_text(owner: User) -> str:
    permissions = ["instruments.view_instrument"]
    return api_keys.create(owner, name="n", permissions=permissions, days=1)[1]


@pytest.fixture(params=["API key", "token"])
def credential(request: pytest.FixtureRequest, bob: User) -> str:
    if request.param == "API key":
        return make_key_text(bob)
    return tokens.issue(bob)["access"]


@pytest.fixture(params=["plain", "line", "json"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """The text of all log records, by a formatter of a library or by one of the service's."""
    options = {"plain": {"format": "%(message)s"}} | settings.LOGGING["formatters"]
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(DictConfigurator({}).configure_formatter(dict(options[request.param])))
    logging.getLogger().addHandler(handler)
    yield text
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize(
    "path", ["/", "/sign-in/", "/nonsense/", "/admin/login/", "/api/docs/", "/api/v1/instruments/"]
)
def test_a_credential_in_an_address_is_refused_on_every_path(path: str, credential: str) -> None:
    for query in (f"q={credential}", f"next=%2F%3Ftoken%3D{credential}", f"x={quote(credential)}"):
        response = Client().get(f"{path}?{query}")

        assert response.status_code == 400
        assert "header Authorization" in response.content.decode()
        assert credential not in response.content.decode()


def test_a_credential_in_a_path_is_refused(credential: str) -> None:
    for prefix in ("/instruments/", "/api/v1/instruments/"):
        response = Client().get(f"{prefix}{credential}/")

        assert response.status_code == 400
        assert credential not in response.content.decode()


@pytest.mark.parametrize("name", ["token", "api_key", "KEY", "access_token"])
def test_a_parameter_meant_for_a_credential_is_refused(name: str) -> None:
    assert Client().get("/", {name: "x"}).status_code == 400


def test_credentials_are_masked_in_logs(credential: str, log: io.StringIO) -> None:
    logger = logging.getLogger("somebody.else")

    logger.error('"GET /?key=%s HTTP/1.1" %d', credential, 400)
    logger.error("%(request)s", {"request": f"GET /?key={credential}"})
    logger.error(f"GET /{credential}")  # a message without arguments
    logger.error("%s", ValueError(f"bad key {credential}"))
    try:
        raise ValueError(f"bad key {credential}")
    except ValueError:
        logger.exception("failed")

    lines = log.getvalue()
    # The secret of a key may have the separator in it.
    secret = (
        credential.split("_", 2)[2] if credential.startswith("md_") else credential.split(".")[2]
    )
    assert lines.count("[masked]") >= 5
    assert secret not in lines
    assert "HTTP/1.1" in lines


def test_other_log_records_are_unchanged(log: io.StringIO) -> None:
    logging.getLogger("somebody.else").error("%d of %s in %.1f s", 3, "files", 0.25)

    assert "3 of files in 0.2 s" in log.getvalue()


def test_responses_with_credentials_or_personal_data_are_not_stored() -> None:
    admin = client_of_new_user("ada", "admin")
    body = {"name": "n", "permissions": ["instruments.view_instrument"]}
    credentials = {"username": "ada", "password": PASSWORD}

    responses = [
        ApiClient()("post", "/auth/token/", credentials),
        ApiClient()("post", "/auth/token/", {"username": "ada", "password": "guess"}),
        ApiClient()("post", "/auth/refresh/", {"refresh": "x"}),
        admin("post", "/api-keys/", body),
        admin("post", "/api-keys/", {}),
        *(admin("get", path) for path in ("/api-keys/", "/auth/me/", "/users/", "/roles/")),
        *(admin("get", path) for path in ("/audit/", "/audit/export/")),
        Client().get("/sign-in/"),
        Client().get("/password/"),
    ]

    for response in responses:
        assert "no-store" in response.headers["Cache-Control"], response.request["PATH_INFO"]
