"""Signing in with a user name and a password, and protection against guessing."""

import statistics
import time

import pytest
from axes.models import AccessAttempt
from django.conf import LazySettings
from django.contrib.auth.hashers import make_password
from django.test import Client

from accounts.models import User
from audit.models import Event
from tests.accounts.clients import (
    PASSWORD,
    ApiClient,
    make_user,
    sign_in_by_api,
    sign_in_on_page,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("username", ["bob", "nobody"])
def test_five_wrong_passwords_lock_out_a_name_at_its_address(username: str) -> None:
    make_user("bob")

    responses = [sign_in_by_api(username, f"guess {n}") for n in range(6)]

    assert [response.status_code for response in responses] == [401] * 4 + [429] * 2
    assert responses[-1].headers["Retry-After"] == "900"
    assert responses[-1].headers["Content-Type"] == "application/problem+json"
    assert sign_in_by_api("bob", PASSWORD).status_code == (429 if username == "bob" else 200)
    assert sign_in_by_api("bob", PASSWORD, address="203.0.113.2").status_code == 200


@pytest.mark.parametrize("path", ["/sign-in/", "/admin/login/", "/api/auth/login/"])
def test_sign_in_pages_lock_out_too(path: str) -> None:
    make_user("ada", "admin")

    responses = [sign_in_on_page("ada", f"guess {n}", path) for n in range(6)]

    assert responses[-1].status_code == 429
    assert b"Too many requests" in responses[-1].content
    assert sign_in_on_page("ada", PASSWORD, path).status_code == 429
    assert sign_in_by_api("ada", PASSWORD).status_code == 429, "pages and API share the count"


def test_a_right_password_resets_the_count_of_wrong_ones() -> None:
    make_user("bob")
    for _ in range(3):
        for n in range(3):
            sign_in_by_api("bob", f"guess {n}")
        assert sign_in_by_api("bob", PASSWORD).status_code == 200


def test_the_answer_does_not_reveal_whether_a_user_exists() -> None:
    make_user("bob")
    inactive = make_user("inactive")
    inactive.is_active = False
    inactive.save()

    responses = [sign_in_by_api(name, "guess") for name in ("bob", "nobody", "inactive")]
    responses.append(sign_in_by_api("inactive", PASSWORD))

    assert {response.status_code for response in responses} == {401}
    assert len({response.content for response in responses}) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("real_password_hashes")
def test_refusing_an_unknown_user_takes_as_much_work_as_a_known_one(settings: LazySettings) -> None:
    """Compare medians of processor time, which is mostly that of one password hash per attempt."""
    settings.AXES_ENABLED = False
    make_user("bob")

    def seconds(username: str) -> float:
        start = time.process_time()
        assert sign_in_by_api(username, "guess").status_code == 401
        return time.process_time() - start

    seconds("bob"), seconds("nobody")
    pairs = [(seconds("bob"), seconds(f"nobody{n}")) for n in range(7)]
    known, unknown = (statistics.median(column) for column in zip(*pairs, strict=True))

    assert 0.5 < unknown / known < 2


@pytest.mark.slow
@pytest.mark.usefixtures("real_password_hashes")
def test_passwords_are_hashed_by_argon2_and_older_hashes_are_upgraded() -> None:
    bob = make_user("bob")
    assert bob.password.startswith("argon2$argon2id$")
    User.objects.update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))

    response = sign_in_by_api("bob", PASSWORD)

    assert response.status_code == 200
    bob.refresh_from_db()
    assert bob.password.startswith("argon2$")
    token = response.json()["access"]
    assert ApiClient(f"Bearer {token}")("get", "/auth/me/").status_code == 200


def test_typed_passwords_are_not_stored() -> None:
    make_user("bob")
    for n in range(2):
        sign_in_on_page("bob", f"hunter2 {n}")
        sign_in_by_api("bob", f"hunter2 {n}")

    rows = [*AccessAttempt.objects.values(), *Event.objects.values()]
    assert rows
    assert "hunter2" not in str(rows)


def test_cookies_are_secure_and_hidden_from_scripts(settings: LazySettings) -> None:
    make_user("ada", "admin")
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True

    response = sign_in_on_page("ada", PASSWORD)

    for name in ("sessionid", "csrftoken"):
        cookie = response.cookies[name]
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
    assert (
        Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "a"}).status_code == 403
    )


def test_a_user_without_access_to_the_admin_signs_in_and_out_on_a_page() -> None:
    make_user("bob")
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
    assert client.get("/sign-out/").status_code == 405, "signing out takes POST"
    assert client.post("/sign-out/", token).headers["Location"] == "/sign-in/"
    assert client.get("/").status_code == 302


def test_signing_in_does_not_redirect_to_other_sites() -> None:
    make_user("bob")
    form = {"username": "bob", "password": PASSWORD, "next": "https://evil.example/"}

    assert Client().post("/sign-in/", form).headers["Location"] == "/"


def test_the_own_password_can_be_changed_on_a_page() -> None:
    bob = make_user("bob")
    client = Client()
    client.force_login(bob)
    new = "another 9 good one"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}

    assert b"at least 12" in client.post("/password/", {**form, "new_password1": "x"}).content
    assert client.post("/password/", form).headers["Location"] == "/"

    assert sign_in_by_api("bob", new).status_code == 200
    assert Event.objects.get(action="user.password").actor == "bob"


def test_signing_in_and_out_is_recorded_in_the_audit_trail() -> None:
    make_user("ada", "admin")
    sign_in_by_api("ada", "guess")
    client = Client()
    client.post("/admin/login/", {"username": "ada", "password": PASSWORD})
    client.post("/admin/logout/")

    events = Event.objects.filter(action__startswith="log").order_by("pk")
    assert [(e.action, e.actor, e.object_id, e.address) for e in events] == [
        ("login.failed", "", "ada", "203.0.113.1"),
        ("login", "ada", "ada", "127.0.0.1"),
        ("logout", "ada", "ada", "127.0.0.1"),
    ]
    assert [e.new for e in events[:2]] == [
        {"path": "/api/v1/auth/token/"},
        {"path": "/admin/login/"},
    ]


def test_a_sign_in_form_in_a_second_tab_leads_on() -> None:
    make_user("bob")
    tab = Client(enforce_csrf_checks=True)
    form = {"username": "bob", "password": PASSWORD, "next": "/venues/"}
    tab.get("/sign-in/")
    token = tab.cookies["csrftoken"].value
    tab.post("/sign-in/", {**form, "csrfmiddlewaretoken": token})

    second = tab.post(
        "/sign-in/?next=/venues/", {**form, "csrfmiddlewaretoken": token}, follow=True
    )

    assert [address for address, _ in second.redirect_chain] == [
        "/sign-in/?next=/venues/",
        "/venues/",
    ]
    assert second.status_code == 200
    other = tab.post("/password/", {"csrfmiddlewaretoken": token})
    assert other.status_code == 403
