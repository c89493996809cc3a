"""API keys, and what is tried with them."""

import datetime as dt
import io
import json
import re
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts import keys, lifecycle
from accounts.models import ApiKey, User
from accounts.models.api_key import PATTERN
from audit.models import Event
from tests.accounts.people import Caller, make, signed_in, with_token

READ = "instruments.view_instrument"
pytestmark = pytest.mark.django_db


def key_of(user: User, *permissions: str, days: int = 30) -> tuple[ApiKey, Caller]:
    key, text = keys.create(user, name="nightly", permissions=permissions or [READ], days=days)
    return key, Caller(f"Api-Key {text}")


def run(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("api_keys", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_a_key_is_shown_once_and_kept_hashed() -> None:
    bob = signed_in("bob", "analyst")

    made = bob("post", "/api-keys/", {"name": "nightly", "permissions": [READ], "days": 10})

    assert made.status_code == 201
    text = made.json()["key"]
    assert re.fullmatch(PATTERN, text)
    row = ApiKey.objects.get()
    secret = text.rpartition(row.prefix)[2]
    assert not any(secret in str(value) for value in vars(row).values())
    [shown] = bob("get", "/api-keys/").json()["results"]
    assert "key" not in shown
    assert (shown["name"], shown["state"], shown["permissions"]) == ("nightly", "usable", [READ])
    assert secret not in json.dumps(list(Event.objects.values("old", "new")))
    assert 9 <= (row.expires_at - timezone.now()).days <= 10


def test_a_key_opens_what_it_was_made_for_and_no_more() -> None:
    admin = make("ada", "admin")
    _, ask = key_of(admin, READ)

    assert ask("get", "/instruments/").status_code == 200
    for path in ("/audit/", "/users/"):
        assert ask("get", path).status_code == 403
    assert ask("get", "/auth/me/").json()["permissions"] == [READ]


def test_a_key_never_does_more_than_its_owner_may_now() -> None:
    ada = make("ada", "admin")
    _, ask = key_of(ada, "audit.view_event")
    assert ask("get", "/audit/").status_code == 200

    lifecycle.set_roles(ada, ["viewer"])

    assert ask("get", "/audit/").status_code == 403


def test_a_key_of_a_superuser_is_narrow_too() -> None:
    _, ask = key_of(User.objects.create_superuser("root"), READ)

    assert ask("get", "/instruments/").status_code == 200
    assert ask("get", "/audit/").status_code == 403


def test_a_key_cannot_make_keys_or_change_accounts() -> None:
    _, ask = key_of(make("ada", "admin"))

    for method, path, data in (
        ("post", "/api-keys/", {"name": "more", "permissions": [READ]}),
        ("get", "/api-keys/", None),
        ("patch", "/auth/me/", {"email": "a@b.eu"}),
        ("post", "/auth/password/", {}),
        ("post", "/users/", {}),
    ):
        assert ask(method, path, data).status_code == 403, path


@pytest.mark.parametrize(
    "wanted",
    [
        "esma_files.change_esmafile",
        "accounts.add_user",
        "accounts.add_apikey",
        "no.such",
        "",
        "x" * 500,
    ],
)
def test_a_key_holds_nothing_that_its_owner_lacks_or_no_key_may_hold(wanted: str) -> None:
    bob = signed_in("bob", "analyst")

    response = bob("post", "/api-keys/", {"name": "n", "permissions": [READ, wanted]})

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["permissions"]
    assert not ApiKey.objects.exists()


def test_even_an_admins_key_does_not_manage_accounts() -> None:
    admin = signed_in("ada", "admin")

    for wanted in ("accounts.add_user", "auth.change_group"):
        refused = admin("post", "/api-keys/", {"name": "n", "permissions": [wanted]})
        assert refused.status_code == 400


@pytest.mark.parametrize("end", ["expired", "revoked", "owner off", "other secret", "other prefix"])
def test_a_key_ends(end: str) -> None:
    bob = make("bob")
    key, text = keys.create(bob, name="n", permissions=[READ], days=1)
    assert Caller(f"Api-Key {text}")("get", "/instruments/").status_code == 200

    if end == "expired":
        ApiKey.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    elif end == "revoked":
        keys.revoke(key)
    elif end == "owner off":
        lifecycle.set_active(bob, active=False)
    elif end == "other secret":
        text = text[:-1] + ("A" if text[-1] != "A" else "B")
    else:
        text = text.replace(key.prefix, "0" * 12)

    response = Caller(f"Api-Key {text}")("get", "/instruments/")
    assert response.status_code == 401
    assert "no such key" in response.json()["detail"]


def test_another_users_keys_are_not_there() -> None:
    key, _ = key_of(make("bob"))
    eve = signed_in("eve", "curator")

    assert eve("get", "/api-keys/").json()["results"] == []
    assert eve("get", f"/api-keys/{key.prefix}/").status_code == 404
    assert eve("delete", f"/api-keys/{key.prefix}/").status_code == 404
    key.refresh_from_db()
    assert key.state == "usable"


def test_an_admin_sees_and_revokes_everybodys_keys() -> None:
    key, ask = key_of(make("bob"))
    admin = signed_in("ada", "admin")

    assert admin("get", f"/api-keys/{key.prefix}/").json()["owner"] == "bob"
    assert admin("delete", f"/api-keys/{key.prefix}/").status_code == 204

    assert ask("get", "/instruments/").status_code == 401
    assert admin("get", f"/api-keys/{key.prefix}/").json()["state"] == "revoked"
    event = Event.objects.get(action="key.revoked")
    assert (event.actor, event.old) == ("ada", {"owner": "bob"})


def test_what_a_key_does_is_noted_under_its_name() -> None:
    key, ask = key_of(make("ada", "admin"), "audit.view_event")

    assert ask("get", "/audit/export/").status_code == 200

    event = Event.objects.get(action="audit.exported")
    assert (event.actor, event.via) == ("ada", f"key {key.prefix} nightly")


def test_the_last_use_is_known_to_ten_minutes() -> None:
    _, ask = key_of(make("bob"))
    ask("get", "/instruments/")
    first = ApiKey.objects.get().last_used_at
    assert first is not None

    ask("get", "/instruments/")
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=first - dt.timedelta(minutes=11))
    ask("get", "/instruments/")
    later = ApiKey.objects.get().last_used_at
    assert later is not None
    assert later > first


@pytest.mark.usefixtures("anonymous_reading")
@pytest.mark.parametrize("name", ["api_key", "key", "token", "access_token", "q", "API-Key"])
def test_a_key_in_the_address_is_refused(name: str) -> None:
    _, text = keys.create(make("bob"), name="n", permissions=[READ], days=1)

    response = Caller()("get", "/instruments/", {name: text})

    assert response.status_code == 400
    assert "Authorization" in response.json()["detail"]
    assert text not in response.content.decode()


@pytest.mark.parametrize("days", [0, -1, 100_000, "many"])
def test_a_key_has_an_end(days: Any) -> None:
    bob = signed_in("bob")

    assert (
        bob("post", "/api-keys/", {"name": "n", "permissions": [READ], "days": days}).status_code
        == 400
    )


def test_no_key_is_good_for_longer_than_is_set(settings: Any) -> None:
    settings.API_KEY_MAX_DAYS = 7
    key, _ = key_of(make("bob"), days=90)

    assert (key.expires_at - timezone.now()).days < 7


def test_the_command_makes_lists_and_revokes_keys() -> None:
    make("bob")
    text, said = run("create", "bob", "nightly", "--permission", READ)

    assert Caller(f"Api-Key {text.strip()}")("get", "/instruments/").status_code == 200
    assert "not shown again" in said
    [row] = json.loads(run("list", "--owner", "bob", "--format", "json")[0])
    assert row["prefix"] in run("list")[0]
    run("revoke", row["prefix"])
    assert Caller(f"Api-Key {text.strip()}")("get", "/instruments/").status_code == 401
    for arguments, problem in (
        (("create", "eve", "n", "--permission", READ), "no active user eve"),
        (("create", "bob", "n", "--permission", "audit.view_event"), "can give a key: esma_files"),
        (("create", "bob", "n", "--permission", READ, "--days", "0"), "1 or more"),
        (("revoke", "zzz"), "no key md_zzz"),
    ):
        with pytest.raises(CommandError, match=problem):
            run(*arguments)


def test_keys_are_revoked_in_the_admin(client: Client) -> None:
    key, ask = key_of(make("bob"))
    other, _ = key_of(make("cleo", "curator"))
    path = "/admin/accounts/apikey/"
    chosen = {"action": "revoke", "_selected_action": [key.pk]}
    client.force_login(User.objects.get(username="cleo"))
    client.post(path, chosen)
    assert ask("get", "/instruments/").status_code == 200, "a curator sees only their own"

    client.force_login(make("ada", "admin"))
    client.post(path, chosen)

    assert ask("get", "/instruments/").status_code == 401
    other.refresh_from_db()
    assert other.state == "usable"
    assert with_token(User.objects.get(username="bob"))("get", "/auth/me/").status_code == 200
