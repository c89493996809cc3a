"""Limits on the number of requests of a client, counted over all processes."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import caches
from django.test import Client, RequestFactory

from accounts import api_keys
from marketdata.web import limits
from tests.accounts.clients import ApiClient, client_with_token, make_user

ROOT = Path(__file__).parents[2]
LIST = "/instruments/"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("anonymous_reading")]


def small_limits() -> dict[str, list[str]]:
    return {
        "anonymous": ["3/d"],
        "client": ["4/d", "6/d"],
        "curator": ["8/d"],
        "key": ["10/d"],
        "costly": ["2/d"],
        "login": ["3/d"],
        "name": ["5/d"],
        "name_reserve": ["1/d"],
        "pair": ["5/d"],
        "pair_success": ["5/d"],
    }


@pytest.fixture(params=["file", "redis"])
def counted(
    request: pytest.FixtureRequest, settings: LazySettings, tmp_path: Path
) -> Iterator[None]:
    """Small limits per day, so that a test rarely runs over the end of a window."""
    if request.param == "file":
        counts = {
            "BACKEND": "marketdata.web.counts.FileCounts",
            "LOCATION": str(tmp_path / "counts.sqlite3"),
        }
    else:
        url = request.getfixturevalue("redis")
        counts = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}
    settings.CACHES = {**settings.CACHES, "counts": counts}
    settings.RATELIMIT_ENABLE = True
    settings.LIMITS = small_limits()
    caches["counts"].clear()
    yield
    caches["counts"].close()


def statuses(client: Any, times: int, path: str = LIST) -> list[int]:
    return [client("get", path).status_code for _ in range(times)]


def is_refused(statuses: list[int], *, after: int) -> bool:
    """Return True if the first `after` requests were answered and all others refused."""
    return statuses == [200] * after + [429] * (len(statuses) - after)


@pytest.mark.usefixtures("counted")
def test_an_anonymous_address_is_limited() -> None:
    client = ApiClient()

    responses = [client("get", LIST) for _ in range(4)]

    assert [response.status_code for response in responses] == [200, 200, 200, 429]
    assert [response.headers["RateLimit-Remaining"] for response in responses] == [
        "2",
        "1",
        "0",
        "0",
    ]
    assert {response.headers["RateLimit-Limit"] for response in responses} == {"3"}
    last = responses[-1]
    assert 1 <= int(last.headers["Retry-After"]) <= 86_400
    assert last.headers["RateLimit-Reset"] == last.headers["Retry-After"]
    assert last.headers["Content-Type"] == "application/problem+json"
    assert last.json()["title"] == "Too Many Requests"


@pytest.mark.usefixtures("counted")
def test_pages_are_limited_too() -> None:
    client = Client()

    responses = [client.get("/") for _ in range(4)]

    assert is_refused([response.status_code for response in responses], after=3)
    assert "Retry-After" in responses[-1].headers
    assert b"Too many requests" in responses[-1].content


@pytest.mark.usefixtures("counted")
def test_requests_of_a_user_are_counted_together_over_addresses_and_ways_of_authentication() -> (
    None
):
    bob, eve = make_user("bob"), make_user("eve")

    assert is_refused(statuses(client_with_token(bob), 5), after=4)
    assert is_refused(statuses(client_with_token(eve), 2), after=2)
    session = Client()
    session.force_login(bob)
    assert session.get("/", REMOTE_ADDR="10.0.0.9").status_code == 429


@pytest.mark.usefixtures("counted")
def test_every_rate_of_a_limit_applies(settings: LazySettings) -> None:
    settings.LIMITS = {**small_limits(), "client": ["100/d", "6/d"]}
    client = client_with_token(make_user("bob"))

    responses = [client("get", LIST) for _ in range(7)]

    assert is_refused([response.status_code for response in responses], after=6)
    assert responses[0].headers["RateLimit-Limit"] == "6", "the rate that is nearest to its end"


@pytest.mark.usefixtures("counted")
def test_roles_and_keys_have_higher_limits_and_each_key_is_counted_separately() -> None:
    cleo = make_user("cleo", "curator")
    callers = []
    for name in ("one", "two"):
        _, text = api_keys.create(
            cleo, name=name, permissions=["instruments.view_instrument"], days=1
        )
        callers.append(ApiClient(f"Api-Key {text}"))

    assert is_refused(statuses(client_with_token(cleo), 9), after=8)
    assert is_refused(statuses(callers[0], 11), after=10)
    assert is_refused(statuses(callers[1], 2), after=2)


@pytest.mark.usefixtures("counted")
def test_costly_requests_have_a_separate_limit() -> None:
    ada = make_user("ada", "admin")
    client = client_with_token(ada)

    assert is_refused(statuses(client, 3, "/audit/export/"), after=2)
    assert client("get", LIST).status_code == 200


@pytest.mark.usefixtures("counted")
def test_costly_requests_of_all_keys_count_for_their_owner() -> None:
    ada = make_user("ada", "admin")
    callers = [client_with_token(ada)]
    for name in ("one", "two"):
        _, text = api_keys.create(ada, name=name, permissions=["audit.view_event"], days=1)
        callers.append(ApiClient(f"Api-Key {text}"))

    statuses = [client("get", "/audit/export/").status_code for client in callers]

    assert statuses == [200, 200, 429]


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("path", ["/nonsense/", "/instruments/DE/nonsense/", "/admin/nonsense/"])
def test_unknown_pages_are_counted(path: str) -> None:
    client = Client()

    statuses = [client.get(path).status_code for _ in range(5)]

    assert 429 not in statuses[:3]
    assert statuses[3:] == [429, 429]


@pytest.mark.usefixtures("counted")
def test_a_failed_sign_in_is_counted_once() -> None:
    client = ApiClient()
    body = {"username": "bob", "password": "guess"}

    responses = [client("post", "/auth/token/", body) for _ in range(3)]

    assert [response.status_code for response in responses] == [401, 401, 401]
    assert client("get", LIST).status_code == 429, "three requests are counted, not six"


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("authorization", ["Bearer nonsense", "Api-Key nonsense"])
def test_requests_with_invalid_credentials_are_counted(authorization: str) -> None:
    assert statuses(ApiClient(authorization), 5) == [401, 401, 401, 429, 429]


@pytest.mark.usefixtures("counted")
def test_forbidden_requests_are_counted() -> None:
    assert statuses(client_with_token(make_user("bob")), 5, "/users/") == [403] * 4 + [429]


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP"])
def test_without_proxies_headers_do_not_change_the_client(header: str) -> None:
    client = ApiClient()

    statuses = [client("get", LIST, headers={header: f"10.0.0.{n}"}).status_code for n in range(5)]

    assert statuses == [200, 200, 200, 429, 429]


@pytest.mark.usefixtures("counted")
def test_behind_proxies_only_their_entries_determine_the_client(settings: LazySettings) -> None:
    settings.TRUSTED_PROXIES = 2
    client = ApiClient()

    def status_for(forwarded: str) -> int:
        response = client("get", LIST, headers={"x-forwarded-for": forwarded})
        return int(response.status_code)

    spoofed = [status_for(f"1.1.1.{n}, 198.51.100.7, 10.0.0.1") for n in range(4)]
    assert spoofed == [200, 200, 200, 429]
    assert status_for("1.1.1.1, 198.51.100.8, 10.0.0.1") == 200
    assert [status_for("198.51.100.9") for _ in range(4)] == [200, 200, 200, 429], "its own address"


@pytest.mark.usefixtures("counted")
def test_an_ipv6_network_counts_as_one_client() -> None:
    client = ApiClient()

    statuses = [client("get", LIST, REMOTE_ADDR=f"2001:db8:1:2::{n}").status_code for n in range(4)]

    assert statuses == [200, 200, 200, 429]
    assert client("get", LIST, REMOTE_ADDR="2001:db8:1:3::1").status_code == 200


@pytest.mark.slow
def test_counts_are_exact_over_processes(counted: None, settings: LazySettings) -> None:
    """Four processes increment one count 50 times each, which gives every number up to 200 once."""
    program = (
        "import sys, json, django\n"
        "from django.conf import settings\n"
        "settings.configure(CACHES=json.loads(sys.argv[1]))\n"
        "django.setup()\n"
        "from django.core.cache import caches\n"
        "cache = caches['counts']\n"
        "for _ in range(50): print(1 if cache.add('k', 1, 60) else cache.incr('k'))\n"
    )
    argument = json.dumps(
        {"default": settings.CACHES["counts"], "counts": settings.CACHES["counts"]}
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, argument], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    printed = [process.communicate()[0].split() for process in processes]

    numbers = sorted(int(number) for lines in printed for number in lines)
    assert numbers == list(range(1, 201))


def test_a_count_expires_and_starts_again(counted: None) -> None:
    cache = caches["counts"]

    assert cache.add("k", 1, 1)
    assert not cache.add("k", 1, 1)
    assert cache.incr("k") == 2
    assert cache.get("k") == 2
    time.sleep(1.1)
    assert cache.get("k") is None
    with pytest.raises(ValueError, match="k"):
        cache.incr("k")
    assert cache.add("k", 1, 1)


@pytest.mark.parametrize(
    "counts",
    [
        {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"},
        {"BACKEND": "marketdata.web.counts.FileCounts", "LOCATION": "/dev/null/counts"},
    ],
)
def test_unavailable_counts_are_logged_and_refuse_nobody(
    settings: LazySettings, caplog: pytest.LogCaptureFixture, counts: dict[str, str]
) -> None:
    settings.CACHES = {**settings.CACHES, "counts": counts}
    settings.RATELIMIT_ENABLE = True

    assert limits.count(RequestFactory().get("/"), "anonymous") is None
    assert ApiClient()("get", LIST).status_code == 200
    assert "not counted" in caplog.text


@pytest.mark.usefixtures("counted")
def test_an_admin_who_browses_is_not_stopped(client: Client, settings: LazySettings) -> None:
    settings.LIMITS = {**small_limits(), "admin": ["1/d"]}
    ada, bob = make_user("ada", "admin"), make_user("bob", "viewer")
    token = client_with_token(ada)

    client.force_login(ada)
    assert {client.get(path).status_code for path in ["/", "/api/v1/instruments/"] * 6} == {200}
    assert {client.get("/files/storage/").status_code for _ in range(4)} == {200}, "costly"
    assert token("get", LIST).status_code == 200
    client.force_login(bob)
    assert [client.get("/").status_code for _ in range(5)] == [200, 200, 200, 200, 429]
    assert "Too many requests" in client.get("/").content.decode()
