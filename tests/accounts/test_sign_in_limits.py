"""Limits on guessing passwords: attackers are stopped, and owners elsewhere are not."""

import io
import threading
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import LazySettings
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.models import KnownNetwork
from accounts.models.known_network import KNOWN_FOR
from accounts.sign_in_limits import NameLimitBackend
from audit.models import Event
from tests.accounts.clients import PASSWORD, make_user, sign_in_by_api, sign_in_on_page

ATTACKER, OWNER = "203.0.113.1", "198.51.100.7"
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("counting")]


def checked_guesses() -> int:
    """Number of wrong passwords that were checked, and not refused before."""
    return Event.objects.filter(action="login.failed").count()


def guess_from(addresses: list[str], username: str = "bob") -> list[int]:
    return [sign_in_by_api(username, "guess", address).status_code for address in addresses]


@pytest.mark.slow
def test_an_attacker_at_one_address_does_not_lock_out_the_owner_at_another() -> None:
    make_user("bob")

    statuses = guess_from([ATTACKER] * 78)

    assert statuses == [401] * 4 + [429] * 74
    assert checked_guesses() == 5
    assert sign_in_by_api("bob", PASSWORD, ATTACKER).status_code == 429
    assert sign_in_by_api("bob", PASSWORD, OWNER).status_code == 200
    assert sign_in_on_page("bob", PASSWORD, "/sign-in/", OWNER).status_code == 302
    assert not AccessAttempt.objects.filter(ip_address=OWNER).exists()


def test_an_attacker_on_pages_does_not_lock_out_the_owner_either() -> None:
    make_user("ada", "admin")

    for n in range(30):
        sign_in_on_page("ada", f"guess {n}", "/admin/login/", ATTACKER)

    assert checked_guesses() == 5
    assert sign_in_on_page("ada", PASSWORD, "/admin/login/", OWNER).status_code == 302


@pytest.mark.slow
def test_the_addresses_of_an_ipv6_network_are_one_attacker() -> None:
    make_user("bob")

    guess_from([f"2001:db8:1:2::{n:x}" for n in range(40)])

    assert checked_guesses() == 5
    assert sign_in_by_api("bob", PASSWORD, "2001:db8:1:3::1").status_code == 200


def test_guesses_from_many_addresses_are_limited_by_user_name(settings: LazySettings) -> None:
    """No more guesses are checked than 10 in all, of which 2 are from networks known for the user."""
    settings.LIMITS = {**settings.LIMITS, "name": ["8/d"], "name_reserve": ["2/d"]}
    bob = make_user("bob")
    known = [f"192.0.2.{n}" for n in range(3)]
    for network in known:
        KnownNetwork.objects.remember(bob, network)

    guess_from([f"203.0.113.{n}" for n in range(30)])
    assert checked_guesses() == 8
    guess_from(known * 2)

    assert checked_guesses() == 10


def test_many_attackers_do_not_lock_out_the_owner_at_a_known_network(
    settings: LazySettings,
) -> None:
    settings.LIMITS = {**settings.LIMITS, "name": ["8/d"], "name_reserve": ["2/d"]}
    make_user("bob")
    assert sign_in_by_api("bob", PASSWORD, OWNER).status_code == 200

    guess_from([f"203.0.113.{n}" for n in range(30)])

    assert sign_in_by_api("bob", PASSWORD, OWNER).status_code == 200
    refused = sign_in_by_api("bob", PASSWORD, "192.0.2.99")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert not AccessAttempt.objects.filter(ip_address="192.0.2.99").exists(), "not a failure"
    assert Event.objects.latest("pk").action == "login.refused"


def test_a_network_is_known_for_ninety_days() -> None:
    bob = make_user("bob")
    KnownNetwork.objects.remember(bob, OWNER)
    assert KnownNetwork.objects.is_known("bob", OWNER)
    assert not KnownNetwork.objects.is_known("eve", OWNER)

    KnownNetwork.objects.update(last_sign_in_at=timezone.now() - KNOWN_FOR)
    assert not KnownNetwork.objects.is_known("bob", OWNER)
    KnownNetwork.objects.remember(bob, "192.0.2.1")

    assert KnownNetwork.objects.get().network == "192.0.2.1", "older ones are deleted"


@pytest.mark.parametrize("variant", ["BOB", "Bob", "\uff42\uff4f\uff42"])
def test_variants_of_a_user_name_are_counted_together(variant: str) -> None:
    make_user("bob")

    guess_from([ATTACKER] * 3, variant)
    guess_from([ATTACKER] * 3)

    assert checked_guesses() == 5


def test_attempts_from_one_address_are_limited_over_user_names(settings: LazySettings) -> None:
    settings.LIMITS = {**settings.LIMITS, "login": ["3/d"]}
    make_user("bob")

    statuses = [sign_in_by_api(f"user{n}", "guess", ATTACKER).status_code for n in range(5)]

    assert statuses == [401, 401, 401, 429, 429]
    assert sign_in_by_api("bob", PASSWORD, ATTACKER).status_code == 429
    assert sign_in_by_api("bob", PASSWORD, OWNER).status_code == 200


def test_simultaneous_attempts_do_not_exceed_the_lock_out() -> None:
    passed: list[bool] = []
    start = threading.Barrier(12)

    def attempt() -> None:
        request = RequestFactory().post("/sign-in/", REMOTE_ADDR=ATTACKER)
        start.wait()
        try:
            NameLimitBackend().authenticate(request, username="bob", password="guess")
        except PermissionDenied:
            return
        passed.append(True)

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(passed) == 5


def test_successful_attempts_are_not_counted_as_failures() -> None:
    make_user("bob")

    statuses = [sign_in_by_api("bob", PASSWORD, OWNER).status_code for _ in range(7)]

    assert statuses == [200] * 7


@pytest.mark.parametrize(
    "command", [("users", "unlock", "Bob"), ("axes_reset_username", "BOB"), ("axes_reset",)]
)
def test_a_command_unlocks_and_is_recorded(command: tuple[str, ...]) -> None:
    make_user("bob")
    guess_from([ATTACKER] * 8)
    assert sign_in_by_api("bob", PASSWORD, ATTACKER).status_code == 429

    call_command(*command, stdout=io.StringIO())

    assert sign_in_by_api("bob", PASSWORD, ATTACKER).status_code == 200
    event = Event.objects.get(action="login.unlocked")
    assert (event.object_id, event.old, event.via) == ("bob", {"network": ATTACKER}, "command")


def test_a_network_is_unlocked_without_the_others(settings: LazySettings) -> None:
    settings.LIMITS = {**settings.LIMITS, "name": ["100/d"]}
    make_user("bob")
    guess_from([ATTACKER] * 8)
    guess_from([OWNER] * 8)

    call_command("axes_reset_ip", OWNER, stdout=io.StringIO())

    assert sign_in_by_api("bob", PASSWORD, OWNER).status_code == 200
    assert sign_in_by_api("bob", PASSWORD, ATTACKER).status_code == 429


@pytest.mark.parametrize("way", ["page", "selection"])
def test_an_admin_unlocks_and_is_recorded(way: str, client: Client) -> None:
    make_user("bob")
    guess_from([ATTACKER] * 8)
    client.force_login(make_user("ada", "admin"))
    attempt = AccessAttempt.objects.get()
    path = "/admin/axes/accessattempt/"

    if way == "page":
        client.post(f"{path}{attempt.pk}/delete/", {"post": "yes"})
    else:
        form = {"action": "delete_selected", "_selected_action": [attempt.pk], "post": "yes"}
        client.post(path, form)

    assert sign_in_by_api("bob", PASSWORD, ATTACKER).status_code == 200
    event = Event.objects.get(action="login.unlocked")
    assert (event.actor, event.object_id) == ("ada", "bob")


@pytest.mark.parametrize(
    "path", ["/password/", "/admin/password_change/", "/api/v1/auth/password/"]
)
def test_guesses_of_the_old_password_are_locked_out_and_recorded(path: str) -> None:
    ada = make_user("ada", "admin")
    session = Client()
    session.force_login(ada)
    new = "something else 42"

    def change(old: str) -> Any:
        if path.startswith("/api/"):
            body = {"old_password": old, "new_password": new}
            return session.post(path, body, content_type="application/json")
        form = {"old_password": old, "new_password1": new, "new_password2": new}
        return session.post(path, form)

    statuses = [change(f"guess {n}").status_code for n in range(7)]

    not_changed = 400 if path.startswith("/api/") else 200
    assert statuses == [not_changed] * 4 + [429] * 3
    assert change(PASSWORD).status_code == 429
    events = Event.objects.filter(action__startswith="password.").order_by("pk")
    assert [event.action for event in events] == ["password.failed"] * 5 + ["password.refused"] * 3
    assert {(event.actor, event.object_id) for event in events} == {("ada", "ada")}
    assert not Event.objects.filter(action="user.password").exists()


def test_changing_the_own_password_again_and_again_is_possible() -> None:
    bob = make_user("bob")
    session = Client()
    session.force_login(bob)
    old = PASSWORD

    for n in range(7):
        new = f"something else {n}"
        form = {"old_password": old, "new_password1": new, "new_password2": new}
        assert session.post("/password/", form).status_code == 302
        old = new
