"""Signing in with a name and a password, and guessing them."""

import statistics
import time
from pathlib import Path
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import LazySettings
from django.contrib.auth.hashers import make_password
from django.core.cache import caches
from django.test import Client

from accounts.models import User
from audit.models import Event
from tests.accounts.people import PASSWORD, Caller, make

pytestmark = pytest.mark.django_db


def attempt(username: str, password: str, address: str = "203.0.113.1") -> Any:
    credentials = {"username": username, "password": password}
    return Caller()("post", "/auth/token/", credentials, REMOTE_ADDR=address)


def at_the_page(username: str, password: str, path: str = "/admin/login/") -> Any:
    form = {"username": username, "password": password, "next": "/admin/"}
    return Client().post(path, form, REMOTE_ADDR="203.0.113.1")


@pytest.mark.parametrize("username", ["bob", "nobody"])
def test_after_five_wrong_passwords_a_name_is_locked_out_for_its_address(username: str) -> None:
    make("bob")

    found = [attempt(username, f"guess {n}") for n in range(6)]

    assert [response.status_code for response in found] == [401] * 4 + [429] * 2
    assert found[-1].headers["Retry-After"] == "900"
    assert found[-1].headers["Content-Type"] == "application/problem+json"
    assert attempt("bob", PASSWORD).status_code == (429 if username == "bob" else 200)
    assert attempt("bob", PASSWORD, address="203.0.113.2").status_code == 200, "not for the owner"


@pytest.mark.parametrize("path", ["/sign-in/", "/admin/login/", "/api/auth/login/"])
def test_the_pages_lock_out_too(path: str) -> None:
    make("ada", "admin")

    found = [at_the_page("ada", f"guess {n}", path) for n in range(6)]

    assert found[-1].status_code == 429
    assert b"Too many requests" in found[-1].content
    assert at_the_page("ada", PASSWORD, path).status_code == 429
    assert attempt("ada", PASSWORD).status_code == 429, "one count for all ways in"


def test_guessing_by_the_change_of_a_password_is_locked_out() -> None:
    bob = make("bob")
    session = Client()
    session.force_login(bob)
    change = {"old_password": "guess", "new_password": "something else 42"}

    found = [
        session.post("/api/v1/auth/password/", change, content_type="application/json").status_code
        for _ in range(6)
    ]

    assert found == [400] * 4 + [429] * 2


def test_a_right_password_forgets_the_wrong_ones() -> None:
    make("bob")
    for _ in range(3):
        for n in range(3):
            attempt("bob", f"guess {n}")
        assert attempt("bob", PASSWORD).status_code == 200


def test_the_answer_does_not_tell_whether_there_is_such_a_user() -> None:
    make("bob")
    off = make("off")
    off.is_active = False
    off.save()

    answers = [attempt(name, "guess") for name in ("bob", "nobody", "off")]
    answers.append(attempt("off", PASSWORD))

    assert {response.status_code for response in answers} == {401}
    assert len({response.content for response in answers}) == 1


def test_unknown_users_take_as_long_as_known_ones(settings: LazySettings) -> None:
    """No clock decides here: how long a hash takes is measured, and it is done once for each name."""
    settings.AXES_ENABLED = False
    make("bob")

    def seconds(username: str) -> float:
        begun = time.process_time()
        assert attempt(username, "guess").status_code == 401
        return time.process_time() - begun

    seconds("bob"), seconds("nobody")
    pairs = [(seconds("bob"), seconds(f"nobody{n}")) for n in range(7)]
    known, unknown = (statistics.median(column) for column in zip(*pairs, strict=True))

    assert 0.5 < unknown / known < 2


def test_passwords_are_hashed_by_argon2_and_older_hashes_are_brought_up() -> None:
    bob = make("bob")
    assert bob.password.startswith("argon2$argon2id$")
    User.objects.update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))

    answer = attempt("bob", PASSWORD)

    assert answer.status_code == 200
    bob.refresh_from_db()
    assert bob.password.startswith("argon2$")
    token = answer.json()["access"]
    assert Caller(f"Bearer {token}")("get", "/auth/me/").status_code == 200


def test_tries_are_counted_by_address_and_by_name(settings: LazySettings, tmp_path: Path) -> None:
    counts = {
        "BACKEND": "marketdata.common.counts.FileCounts",
        "LOCATION": str(tmp_path / "counts.sqlite3"),
    }
    settings.CACHES = {**settings.CACHES, "counts": counts}
    settings.RATELIMIT_ENABLE = True
    settings.LIMITS = {**settings.LIMITS, "login": ["3/d"], "name": ["4/d"]}
    caches["counts"].clear()
    make("bob")

    sprayed = [attempt(f"user{n}", "guess").status_code for n in range(4)]
    assert sprayed == [401, 401, 401, 429]
    spread = [attempt("Bob", "guess", address=f"198.51.100.{n}").status_code for n in range(4)]
    assert spread == [401, 401, 401, 401]
    last = attempt("bob", PASSWORD, address="198.51.100.9")
    assert last.status_code == 429
    assert "Retry-After" in last.headers
    assert at_the_page("bob", PASSWORD).status_code == 429


def test_what_was_typed_as_a_password_is_kept_nowhere() -> None:
    make("bob")
    for n in range(2):
        at_the_page("bob", f"hunter2 {n}")
        attempt("bob", f"hunter2 {n}")

    kept = [*AccessAttempt.objects.values(), *Event.objects.values()]
    assert kept
    assert "hunter2" not in str(kept)


def test_cookies_are_for_https_and_not_for_scripts(settings: LazySettings) -> None:
    make("ada", "admin")
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True

    response = at_the_page("ada", PASSWORD)

    for name in ("sessionid", "csrftoken"):
        cookie = response.cookies[name]
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
    assert (
        Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "a"}).status_code == 403
    )


def test_who_has_no_part_in_the_admin_signs_in_and_out_on_a_page() -> None:
    make("bob")
    client = Client(enforce_csrf_checks=True)
    page = client.get("/instruments/DE000A1R07V3/", follow=True)
    assert page.redirect_chain == [("/sign-in/?next=/instruments/DE000A1R07V3/", 302)]
    form = {
        "username": "bob",
        "password": PASSWORD,
        "next": "/",
        "csrfmiddlewaretoken": client.cookies["csrftoken"].value,
    }

    assert client.post("/sign-in/", form).headers["Location"] == "/"
    page = client.get("/")
    assert b"bob" in page.content
    assert b"Admin" not in page.content
    token = {"csrfmiddlewaretoken": client.cookies["csrftoken"].value}
    assert client.get("/sign-out/").status_code == 405, "no link signs anybody out"
    assert client.post("/sign-out/", token).headers["Location"] == "/sign-in/"
    assert client.get("/").status_code == 302


def test_one_is_not_led_elsewhere_after_signing_in() -> None:
    make("bob")
    form = {"username": "bob", "password": PASSWORD, "next": "https://evil.example/"}

    assert Client().post("/sign-in/", form).headers["Location"] == "/"


def test_ones_own_password_is_changed_on_a_page() -> None:
    bob = make("bob")
    client = Client()
    client.force_login(bob)
    new = "another 9 good one"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}

    assert b"at least 12" in client.post("/password/", {**form, "new_password1": "x"}).content
    assert client.post("/password/", form).headers["Location"] == "/"

    assert attempt("bob", new).status_code == 200
    assert Event.objects.get(action="user.password").actor == "bob"


def test_signing_in_and_out_is_in_the_trail() -> None:
    make("ada", "admin")
    attempt("ada", "guess")
    client = Client()
    client.post("/admin/login/", {"username": "ada", "password": PASSWORD})
    client.post("/admin/logout/")

    found = Event.objects.filter(action__startswith="log").order_by("pk")
    assert [(e.action, e.actor, e.object_id, e.address) for e in found] == [
        ("login.failed", "", "ada", "203.0.113.1"),
        ("login", "ada", "ada", "127.0.0.1"),
        ("logout", "ada", "ada", "127.0.0.1"),
    ]
    assert [e.new for e in found[:2]] == [
        {"path": "/api/v1/auth/token/"},
        {"path": "/admin/login/"},
    ]
