"""How much a client may ask for, counted where all processes see it."""

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

from accounts import keys
from marketdata.common import limits
from tests.accounts.people import Caller, make, with_token

ROOT = Path(__file__).parents[2]
LIST = "/instruments/"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("anonymous_reading")]


def small() -> dict[str, list[str]]:
    return {
        "anonymous": ["3/d"],
        "client": ["4/d", "6/d"],
        "curator": ["8/d"],
        "key": ["10/d"],
        "costly": ["2/d"],
        "login": ["3/d"],
        "name": ["5/d"],
    }


@pytest.fixture(params=["file", "redis"])
def counted(
    request: pytest.FixtureRequest, settings: LazySettings, tmp_path: Path
) -> Iterator[None]:
    """Limits that are small, and for a day: so that hardly a test meets the end of a window."""
    if request.param == "file":
        counts = {
            "BACKEND": "marketdata.common.counts.FileCounts",
            "LOCATION": str(tmp_path / "counts.sqlite3"),
        }
    else:
        url = request.getfixturevalue("redis")
        counts = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}
    settings.CACHES = {**settings.CACHES, "counts": counts}
    settings.RATELIMIT_ENABLE = True
    settings.LIMITS = small()
    caches["counts"].clear()
    yield
    caches["counts"].close()


def statuses(ask: Any, times: int, path: str = LIST) -> list[int]:
    return [ask("get", path).status_code for _ in range(times)]


def refused(found: list[int], *, after: int) -> bool:
    """Whether all were answered up to a count, and none beyond."""
    return found == [200] * after + [429] * (len(found) - after)


@pytest.mark.usefixtures("counted")
def test_an_address_that_has_not_signed_in_is_held_to_its_limit() -> None:
    ask = Caller()

    found = [ask("get", LIST) for _ in range(4)]

    assert [response.status_code for response in found] == [200, 200, 200, 429]
    assert [response.headers["RateLimit-Remaining"] for response in found] == ["2", "1", "0", "0"]
    assert {response.headers["RateLimit-Limit"] for response in found} == {"3"}
    last = found[-1]
    assert 1 <= int(last.headers["Retry-After"]) <= 86_400
    assert last.headers["RateLimit-Reset"] == last.headers["Retry-After"]
    assert last.headers["Content-Type"] == "application/problem+json"
    assert last.json()["title"] == "Too Many Requests"


@pytest.mark.usefixtures("counted")
def test_pages_are_counted_too() -> None:
    client = Client()

    found = [client.get("/") for _ in range(4)]

    assert refused([response.status_code for response in found], after=3)
    assert "Retry-After" in found[-1].headers
    assert b"Too many requests" in found[-1].content


@pytest.mark.usefixtures("counted")
def test_users_count_by_user_whatever_their_address_and_way_in() -> None:
    bob, eve = make("bob"), make("eve")

    assert refused(statuses(with_token(bob), 5), after=4)
    assert refused(statuses(with_token(eve), 2), after=2)
    session = Client()
    session.force_login(bob)
    assert session.get("/", REMOTE_ADDR="10.0.0.9").status_code == 429


@pytest.mark.usefixtures("counted")
def test_every_rate_of_a_row_holds(settings: LazySettings) -> None:
    settings.LIMITS = {**small(), "client": ["100/d", "6/d"]}
    ask = with_token(make("bob"))

    found = [ask("get", LIST) for _ in range(7)]

    assert refused([response.status_code for response in found], after=6)
    assert found[0].headers["RateLimit-Limit"] == "6", "what is nearest to its end is told"


@pytest.mark.usefixtures("counted")
def test_roles_and_keys_have_higher_limits_and_each_key_its_own() -> None:
    cleo = make("cleo", "curator")
    callers = []
    for name in ("one", "two"):
        _, text = keys.create(cleo, name=name, permissions=["instruments.view_instrument"], days=1)
        callers.append(Caller(f"Api-Key {text}"))

    assert refused(statuses(with_token(cleo), 9), after=8)
    assert refused(statuses(callers[0], 11), after=10)
    assert refused(statuses(callers[1], 2), after=2)


@pytest.mark.usefixtures("counted")
def test_costly_work_has_a_limit_of_its_own() -> None:
    ada = make("ada", "admin")
    ask = with_token(ada)

    assert refused(statuses(ask, 3, "/audit/export/"), after=2)
    assert ask("get", LIST).status_code == 200


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("authorization", ["Bearer nonsense", "Api-Key nonsense"])
def test_who_is_refused_is_counted(authorization: str) -> None:
    found = statuses(Caller(authorization), 5)

    assert found == [401, 401, 401, 429, 429]


@pytest.mark.usefixtures("counted")
def test_who_may_not_is_counted() -> None:
    assert statuses(with_token(make("bob")), 5, "/users/") == [403] * 4 + [429]


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP"])
def test_without_a_proxy_headers_do_not_make_another_client(header: str) -> None:
    ask = Caller()

    found = [ask("get", LIST, headers={header: f"10.0.0.{n}"}).status_code for n in range(5)]

    assert found == [200, 200, 200, 429, 429]


@pytest.mark.usefixtures("counted")
def test_behind_proxies_only_what_they_wrote_counts(settings: LazySettings) -> None:
    settings.TRUSTED_PROXIES = 2
    ask = Caller()

    def from_(forwarded: str) -> int:
        response = ask("get", LIST, headers={"x-forwarded-for": forwarded})
        return int(response.status_code)

    spoofed = [from_(f"1.1.1.{n}, 198.51.100.7, 10.0.0.1") for n in range(4)]
    assert spoofed == [200, 200, 200, 429]
    assert from_("1.1.1.1, 198.51.100.8, 10.0.0.1") == 200
    assert [from_("198.51.100.9") for _ in range(4)] == [200, 200, 200, 429], "as the connection"


@pytest.mark.usefixtures("counted")
def test_an_ipv6_network_is_one_client() -> None:
    ask = Caller()

    found = [ask("get", LIST, REMOTE_ADDR=f"2001:db8:1:2::{n}").status_code for n in range(4)]

    assert found == [200, 200, 200, 429]
    assert ask("get", LIST, REMOTE_ADDR="2001:db8:1:3::1").status_code == 200


def test_counts_are_right_over_processes(counted: None, settings: LazySettings) -> None:
    """Four processes count 50 times each on one key: 200, and every number once."""
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


def test_a_count_ends_and_begins_anew(counted: None) -> None:
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
    "nowhere",
    [
        {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"},
        {"BACKEND": "marketdata.common.counts.FileCounts", "LOCATION": "/dev/null/counts"},
    ],
)
def test_counts_out_of_reach_are_logged_and_stop_nobody(
    settings: LazySettings, caplog: pytest.LogCaptureFixture, nowhere: dict[str, str]
) -> None:
    settings.CACHES = {**settings.CACHES, "counts": nowhere}
    settings.RATELIMIT_ENABLE = True

    assert limits.count(RequestFactory().get("/"), "anonymous") is None
    assert Caller()("get", LIST).status_code == 200
    assert "not counted" in caplog.text
