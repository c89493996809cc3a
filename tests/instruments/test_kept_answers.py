"""Kept answers to requests with an API key, which take a short way."""

import datetime as dt
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import caches
from django.test import Client
from django.utils import timezone
from django.utils.http import http_date

from accounts import api_keys, tokens, users
from accounts.models import ApiKey, User
from instruments.models import DataSubject, DataVersion
from marketdata.settings import limits
from tests import servers
from tests.accounts.clients import PASSWORD, make_user
from tests.instruments.listings.merging import VOLVO, Write
from tests.instruments.test_api_cache import DETAIL, LIST, load_name

pytestmark = pytest.mark.django_db(transaction=True)
# Those that each request has of its own, and that depend on how often it was sent.
_OF_EACH_REQUEST = {"X-Request-ID", "RateLimit-Remaining", "RateLimit-Reset"}


def create_key(
    permissions: tuple[str, ...] = ("instruments.view_instrument",), name: str = "reader"
) -> dict[str, str]:
    """Return the headers of a new API key of a new user."""
    owner = make_user(name)
    users.set_roles(owner, ["viewer"])
    text = api_keys.create(owner, name="a", permissions=permissions, days=1)[1]
    return {"authorization": f"Api-Key {text}"}


def took_short_way(response: Any) -> bool:
    return not hasattr(response.wsgi_request, "session")


def get_headers(response: Any) -> Mapping[str, str]:
    return {name: value for name, value in response.headers.items() if name not in _OF_EACH_REQUEST}


@pytest.fixture
def counted(settings: LazySettings, tmp_path: Path) -> None:
    counts = {
        "BACKEND": "marketdata.web.counts.FileCounts",
        "LOCATION": str(tmp_path / "counts.sqlite3"),
    }
    settings.CACHES = {**settings.CACHES, "counts": counts}
    settings.RATELIMIT_ENABLE = True
    settings.LIMITS = {**settings.LIMITS, "key": ["4/d"]}


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("address", [LIST, DETAIL, f"{DETAIL}listings/", f"{LIST}?q=volvo"])
def test_the_short_way_gives_the_same_answer(client: Client, make_zip: Write, address: str) -> None:
    load_name(make_zip, "Volvo")
    headers = {**create_key(), "origin": "https://elsewhere.example", "accept-encoding": "gzip"}
    first: Any = client.get(address, headers=headers)
    again: Any = client.get(address, headers=headers)
    condition = {"if-none-match": first.headers["ETag"]}
    unchanged: Any = client.get(address, headers={**headers, **condition})
    # A header Accept of another form takes the ordinary way.
    slowly: Any = client.get(
        address, headers={**headers, **condition, "accept": "application/json;q=1"}
    )

    assert not took_short_way(first)
    assert took_short_way(again)
    assert took_short_way(unchanged)
    assert not took_short_way(slowly)
    assert slowly.status_code == 304
    # Django leaves out the limit, and names a length.
    assert "RateLimit-Limit" in unchanged.headers
    for response in (unchanged, slowly):
        for name in ("RateLimit-Limit", "Content-Length"):
            response.headers.pop(name, None)
        response.headers["ETag"] = response.headers["ETag"].removeprefix("W/")
    assert get_headers(unchanged) == get_headers(slowly)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert get_headers(first) == get_headers(again)
    assert set(first.headers) == set(again.headers) >= _OF_EACH_REQUEST
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    route = first.wsgi_request.resolver_match.route
    assert again.wsgi_request.resolver_match.route == route


def test_tokens_lead_to_kept_answers_too(client: Client, make_zip: Write) -> None:
    load_name(make_zip, "Volvo")
    bob = make_user("bob")
    token = {"authorization": f"Bearer {tokens.issue(bob)['access']}"}
    responses = [client.get(DETAIL, headers=headers) for headers in (token, token, create_key())]

    assert [took_short_way(response) for response in responses] == [False, True, True]
    assert len({response.content for response in responses}) == 1
    users.set_roles(bob, [])
    assert client.get(DETAIL, headers=token).status_code == 403
    users.set_roles(bob, ["viewer"])
    assert took_short_way(client.get(DETAIL, headers=token))
    bob.set_password(f"{PASSWORD} 2")
    bob.save()
    assert client.get(DETAIL, headers=token).status_code == 401


@pytest.mark.usefixtures("anonymous_reading")
def test_who_does_not_sign_in_gets_kept_answers_too(
    client: Client, make_zip: Write, settings: LazySettings
) -> None:
    load_name(make_zip, "Volvo")
    key = create_key()
    responses = [client.get(DETAIL, headers=headers) for headers in (key, {}, {})]

    assert [took_short_way(response) for response in responses] == [False, False, True]
    assert get_headers(responses[1]) == get_headers(responses[2])
    assert len({response.content for response in responses}) == 1
    with_cookie = client.get(DETAIL, headers={"cookie": "sessionid=abc"})
    assert not took_short_way(with_cookie)
    assert with_cookie.status_code == 200
    settings.ANONYMOUS_READ = False
    assert client.get(DETAIL).status_code == 401
    assert took_short_way(client.get(DETAIL, headers=key))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"accept-encoding": "gzip"}, {"accept-encoding": "br"}),
        ({"accept-encoding": "zstd"}, {}),
        ({"origin": "https://a.example"}, {"origin": "https://b.example"}),
        ({"origin": "https://a.example"}, {}),
    ],
)
def test_each_coding_and_origin_has_a_response_of_its_own(
    client: Client,
    make_zip: Write,
    settings: LazySettings,
    first: dict[str, str],
    second: dict[str, str],
) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://a.example"]
    load_name(make_zip, "Volvo")
    key = create_key()
    before = [client.get(DETAIL, headers={**key, **headers}) for headers in (first, second)]
    after = [client.get(DETAIL, headers={**key, **headers}) for headers in (first, second)]

    assert [took_short_way(response) for response in before + after] == [False, False, True, True]
    for ordinary, kept in zip(before, after, strict=True):
        assert ordinary.content == kept.content
        assert get_headers(ordinary) == get_headers(kept)
    assert get_headers(after[0]) != get_headers(after[1])


@pytest.mark.slow
def test_answers_are_kept_in_redis_and_made_anew_without_it(
    client: Client, make_zip: Write, settings: LazySettings
) -> None:
    load_name(make_zip, "Volvo")
    key = create_key()
    with servers.restartable_redis() as redis:
        settings.CACHES = {
            **settings.CACHES,
            "answers": limits.caches(Path("unused"), redis.address)["answers"],
        }
        wait_for_redis(redis)
        responses = [client.get(DETAIL, headers=key) for _ in range(2)]
        redis.kill()
        responses.append(client.get(DETAIL, headers=key))

    assert [took_short_way(response) for response in responses] == [False, True, False]
    assert [response.status_code for response in responses] == [200] * 3
    assert len({response.content for response in responses}) == 1
    assert get_headers(responses[0]) == get_headers(responses[1])


def wait_for_redis(redis: servers.RestartableRedis) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        caches["answers"].set("is there", 1)
        if caches["answers"].get("is there"):
            return
        time.sleep(0.05)
    pytest.fail("Redis has not started")


def test_conditions_are_met_on_the_short_way(client: Client, make_zip: Write) -> None:
    load_name(make_zip, "Volvo")
    DataVersion.objects.update(changed_at=timezone.now() - dt.timedelta(days=3))
    key = create_key()
    tag = client.get(DETAIL, headers=key).headers["ETag"]
    tomorrow = http_date(timezone.now().timestamp() + 86_400)
    long_ago = http_date(86_400)

    for headers, status in (
        ({"if-none-match": tag}, 304),
        ({"if-none-match": '"other"'}, 200),
        ({"if-modified-since": tomorrow}, 304),
        ({"if-modified-since": long_ago}, 200),
        ({"if-match": tag}, 200),
        ({"if-match": '"other"'}, 412),
        ({"if-unmodified-since": long_ago}, 412),
    ):
        for response in (
            client.get(DETAIL, headers={**key, **headers}),
            client.head(DETAIL, headers={**key, **headers}),
        ):
            assert took_short_way(response)
            assert response.status_code == status, headers


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "text/html"},
        {"accept": "application/json; indent=4"},
        {"accept": "image/png"},
        {"authorization": ""},
        {"authorization": "Basic a"},
    ],
)
def test_other_requests_take_the_ordinary_way(
    client: Client, make_zip: Write, headers: dict[str, str]
) -> None:
    load_name(make_zip, "Volvo")
    key = create_key()
    client.get(DETAIL, headers=key)
    assert took_short_way(client.get(DETAIL, headers=key))

    assert not took_short_way(client.get(DETAIL, headers={**key, **headers}))


def test_who_may_not_have_an_answer_does_not_get_the_kept_one(
    client: Client, make_zip: Write
) -> None:
    load_name(make_zip, "Volvo")
    key, narrow = create_key(), create_key((), name="other")
    address = f"{LIST}?include=figis"
    wide = create_key(("instruments.view_instrument", "instruments.view_figi"), name="third")
    for headers in (wide, wide):
        assert client.get(address, headers=headers).status_code == 200
    client.get(LIST, headers=key)

    assert client.get(LIST, headers=key).status_code == 200
    assert client.get(LIST, headers=narrow).status_code == 403
    assert client.get(address, headers=key).status_code == 403
    assert client.get(LIST, headers={"authorization": "Api-Key md_unknown"}).status_code == 401
    api_keys.revoke(ApiKey.objects.get(owner__username="reader"))
    assert client.get(LIST, headers=key).status_code == 401


def test_a_user_who_is_deactivated_gets_no_kept_answer(client: Client, make_zip: Write) -> None:
    load_name(make_zip, "Volvo")
    key = create_key()
    for _ in range(2):
        assert client.get(DETAIL, headers=key).status_code == 200
    User.objects.update(is_active=False)

    assert client.get(DETAIL, headers=key).status_code == 401


def test_a_change_ends_the_kept_answers(client: Client, make_zip: Write) -> None:
    load_name(make_zip, "Volvo")
    key = create_key()
    for _ in range(2):
        client.get(DETAIL, headers=key)
    load_name(make_zip, "Volvo B", file_day=9)

    response = client.get(DETAIL, headers=key)

    assert not took_short_way(response)
    assert b"Volvo B" in response.content
    DataVersion.objects.renew(DataSubject.VENUES)
    assert not took_short_way(client.get(DETAIL, headers=key))


@pytest.mark.usefixtures("counted")
def test_requests_are_counted_once_and_limited(client: Client, make_zip: Write) -> None:
    load_name(make_zip, "Volvo")
    key = create_key()
    narrow = create_key((), name="other")
    responses = [client.get(DETAIL, headers=key) for _ in range(6)]

    assert [response.status_code for response in responses] == [*[200] * 4, 429, 429]
    remaining = [response.headers["RateLimit-Remaining"] for response in responses]
    assert remaining == ["3", "2", "1", "0", "0", "0"]
    assert "Retry-After" in responses[-1].headers
    # A refusal goes both ways, and counts as one request.
    refused = [client.get(DETAIL, headers=narrow) for _ in range(2)]
    assert [response.status_code for response in refused] == [403, 403]
    assert [response.headers["RateLimit-Remaining"] for response in refused] == ["3", "2"]


def test_a_key_in_the_address_is_refused_before_a_kept_answer(
    client: Client, make_zip: Write
) -> None:
    load_name(make_zip, "Volvo")
    key = create_key()
    for address in (f"{DETAIL}?api_key=1", f"{LIST}?q={key['authorization'].split()[1]}"):
        for _ in range(2):
            assert client.get(address, headers=key).status_code == 400
    assert VOLVO in client.get(DETAIL, headers=key).json()["isin"]


def test_the_host_is_checked(client: Client, make_zip: Write) -> None:
    load_name(make_zip, "Volvo")
    key = create_key()
    for _ in range(2):
        client.get(DETAIL, headers=key)

    assert client.get(DETAIL, headers={**key, "host": "elsewhere.example"}).status_code == 400
