"""Client addresses, and the networks that sensitive endpoints are limited to."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client, RequestFactory

from marketdata.settings import env
from marketdata.web.address import client_address
from tests.accounts.clients import client_of_new_user, make_user

pytestmark = pytest.mark.django_db
OFFICE, ELSEWHERE = "192.0.2.10", "198.51.100.1"
NONE = str(ip_address(0))


@pytest.fixture(autouse=True)
def office_only(settings: LazySettings) -> None:
    settings.SENSITIVE_NETWORKS = env.networks("192.0.2.0/24, 2001:db8::/32, 127.0.0.9")


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        (OFFICE, True),
        ("2001:db8::1", True),
        ("::ffff:192.0.2.10", True),
        ("127.0.0.9", True),
        (ELSEWHERE, False),
        ("::ffff:198.51.100.1", False),
        ("2001:db9::1", False),
        ("127.0.0.1", False),
    ],
)
def test_users_roles_and_audit_are_served_to_the_allowed_networks_only(
    address: str, allowed: bool
) -> None:
    admin = client_of_new_user("ada", "admin")

    for path in ("/users/", "/roles/", "/audit/", "/audit/export/"):
        status = admin("get", path, REMOTE_ADDR=address).status_code
        assert status == (200 if allowed else 403), path
    assert admin("get", "/instruments/", REMOTE_ADDR=address).status_code == 200


def test_the_admin_is_served_to_the_allowed_networks_only() -> None:
    client = Client()
    client.force_login(make_user("ada", "admin"))

    for path in ("/admin/", "/admin/login/", "/admin/accounts/user/", "/admin/nonsense/"):
        assert client.get(path, REMOTE_ADDR=ELSEWHERE).status_code == 403, path
    assert client.get("/admin/", REMOTE_ADDR=OFFICE).status_code == 200
    assert client.get("/", REMOTE_ADDR=ELSEWHERE).status_code == 200


def test_headers_of_the_client_do_not_change_its_address(settings: LazySettings) -> None:
    admin = client_of_new_user("ada", "admin")
    headers = {"x-forwarded-for": OFFICE, "x-real-ip": OFFICE, "forwarded": f"for={OFFICE}"}

    def status(**kwargs: Any) -> int:
        response = admin("get", "/users/", REMOTE_ADDR=ELSEWHERE, **kwargs)
        return int(response.status_code)

    assert status(headers=headers) == 403
    settings.TRUSTED_PROXIES = 1
    assert status(headers={"x-forwarded-for": f"{OFFICE}, {ELSEWHERE}"}) == 403
    assert status(headers={"x-forwarded-for": f"{ELSEWHERE}, {OFFICE}"}) == 200


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.5", ELSEWHERE),
        (1, "", ELSEWHERE),
        (1, "203.0.113.5", "203.0.113.5"),
        (1, "203.0.113.5:4711", "203.0.113.5"),
        (1, "[2001:db8::5]:4711", "2001:db8::5"),
        (1, "2001:DB8::5", "2001:db8::5"),
        (1, "evil, 203.0.113.5", "203.0.113.5"),
        (1, "203.0.113.5, evil", ELSEWHERE),
        (1, "203.0.113.5,", ELSEWHERE),
        (2, "203.0.113.5", ELSEWHERE),
        (2, "1.1.1.1, 203.0.113.5, 10.0.0.1", "203.0.113.5"),
        (1, "127.0.0.1%lo", ELSEWHERE),
        (1, "fe80::1%eth0", ELSEWHERE),
        (1, "9" * 10_000, ELSEWHERE),
    ],
)
def test_the_client_address_is_the_one_the_outermost_trusted_proxy_saw(
    settings: LazySettings, proxies: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    request = RequestFactory(headers=headers).get("/", REMOTE_ADDR=ELSEWHERE)

    assert client_address(request) == address


@pytest.mark.parametrize(
    ("connection", "address"),
    [("fe80::1%eth0", "fe80::1"), ("", NONE), ("unix:", NONE), ("::1", "::1")],
)
def test_connections_without_a_plain_address_are_served(connection: str, address: str) -> None:
    assert client_address(RequestFactory().get("/", REMOTE_ADDR=connection)) == address
    assert Client().get("/sign-in/", REMOTE_ADDR=connection).status_code == 200


def test_networks_are_given_in_cidr_notation() -> None:
    assert env.networks("10.0.0.0/8,::1") == [ip_network("10.0.0.0/8"), ip_network("::1/128")]
    for wrong in ("10.0.0.1/8", "office", "10.0.0.0/33"):
        with pytest.raises(ValueError, match=r"host bits|IPv4|IPv6"):
            env.networks(wrong)
