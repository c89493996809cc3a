"""API keys: their creation, use and end, and attempts to misuse them."""

import datetime as dt
import io
import json
import re
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts import api_keys, users
from accounts.models import ApiKey, User
from accounts.permissions import permission_names
from audit.models import Event
from marketdata.settings.masking import KEY_PATTERN
from tests.accounts.clients import ApiClient, client_of_new_user, client_with_token, make_user

READ = "instruments.view_instrument"
pytestmark = pytest.mark.django_db


def make_key(user: User, *permissions: str, days: int = 30) -> tuple[ApiKey, ApiClient]:
    """Return a new API key, and a client that uses it."""
    key, text = api_keys.create(user, name="nightly", permissions=permissions or [READ], days=days)
    return key, ApiClient(f"Api-Key {text}")


def run_command(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("api_keys", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_a_key_is_shown_once_and_stored_as_a_digest() -> None:
    bob = client_of_new_user("bob", "analyst")

    created = bob("post", "/api-keys/", {"name": "nightly", "permissions": [READ], "days": 10})

    assert created.status_code == 201
    text = created.json()["key"]
    assert re.fullmatch(KEY_PATTERN, text)
    row = ApiKey.objects.get()
    secret = text.rpartition(row.prefix)[2]
    assert not any(secret in str(value) for value in vars(row).values())
    [shown] = bob("get", "/api-keys/").json()["results"]
    assert "key" not in shown
    assert (shown["name"], shown["state"], shown["permissions"]) == ("nightly", "usable", [READ])
    assert secret not in json.dumps(list(Event.objects.values("old", "new")))
    assert 9 <= (row.expires_at - timezone.now()).days <= 10


def test_a_key_has_its_own_permissions_only() -> None:
    admin = make_user("ada", "admin")
    _, client = make_key(admin, READ)

    assert client("get", "/instruments/").status_code == 200
    for path in ("/audit/", "/users/"):
        assert client("get", path).status_code == 403
    assert client("get", "/auth/me/").json()["permissions"] == [READ]


def test_a_key_loses_the_permissions_that_its_owner_loses() -> None:
    ada = make_user("ada", "admin")
    _, client = make_key(ada, "audit.view_event")
    assert client("get", "/audit/").status_code == 200

    users.set_roles(ada, ["viewer"])

    assert client("get", "/audit/").status_code == 403


def test_a_key_of_a_superuser_has_its_own_permissions_only() -> None:
    _, client = make_key(User.objects.create_superuser("root"), READ)

    assert client("get", "/instruments/").status_code == 200
    assert client("get", "/audit/").status_code == 403


def test_a_key_cannot_create_keys_or_change_accounts() -> None:
    _, client = make_key(make_user("ada", "admin"))

    for method, path, data in (
        ("post", "/api-keys/", {"name": "more", "permissions": [READ]}),
        ("get", "/api-keys/", None),
        ("patch", "/auth/me/", {"email": "a@b.eu"}),
        ("post", "/auth/password/", {}),
        ("post", "/users/", {}),
    ):
        assert client(method, path, data).status_code == 403, path


@pytest.mark.parametrize(
    "permission",
    [
        "esma_files.change_esmafile",
        "accounts.add_user",
        "accounts.add_apikey",
        "no.such",
        "",
        "x" * 500,
    ],
)
def test_a_permission_that_the_owner_lacks_or_no_key_may_have_is_refused(permission: str) -> None:
    bob = client_of_new_user("bob", "analyst")

    response = bob("post", "/api-keys/", {"name": "n", "permissions": [READ, permission]})

    assert response.status_code == 400
    [path] = response.json()["errors"]
    # A text that is no permission is wrong by itself, one that may not be given as a part of all.
    assert path in ("permissions.1", "permissions")
    assert not ApiKey.objects.exists()


def test_a_key_of_an_admin_cannot_manage_accounts() -> None:
    admin = client_of_new_user("ada", "admin")

    for permission in ("accounts.add_user", "auth.change_group"):
        refused = admin("post", "/api-keys/", {"name": "n", "permissions": [permission]})
        assert refused.status_code == 400


@pytest.mark.parametrize(
    "end", ["expired", "revoked", "owner inactive", "other secret", "other prefix"]
)
def test_a_key_that_has_ended_or_differs_is_refused(end: str) -> None:
    bob = make_user("bob")
    key, text = api_keys.create(bob, name="n", permissions=[READ], days=1)
    assert ApiClient(f"Api-Key {text}")("get", "/instruments/").status_code == 200

    if end == "expired":
        ApiKey.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    elif end == "revoked":
        api_keys.revoke(key)
    elif end == "owner inactive":
        users.set_active(bob, active=False)
    elif end == "other secret":
        text = text[:-1] + ("A" if text[-1] != "A" else "B")
    else:
        text = text.replace(key.prefix, "0" * 12)

    response = ApiClient(f"Api-Key {text}")("get", "/instruments/")
    assert response.status_code == 401
    assert "does not exist" in response.json()["detail"]


def test_keys_of_other_users_are_not_found() -> None:
    key, _ = make_key(make_user("bob"))
    eve = client_of_new_user("eve", "curator")

    assert eve("get", "/api-keys/").json()["results"] == []
    assert eve("get", f"/api-keys/{key.prefix}/").status_code == 404
    assert eve("delete", f"/api-keys/{key.prefix}/").status_code == 404
    key.refresh_from_db()
    assert key.state == "usable"


def test_an_admin_views_and_revokes_keys_of_all_users() -> None:
    key, client = make_key(make_user("bob"))
    admin = client_of_new_user("ada", "admin")

    assert admin("get", f"/api-keys/{key.prefix}/").json()["owner"] == "bob"
    assert admin("delete", f"/api-keys/{key.prefix}/").status_code == 204

    assert client("get", "/instruments/").status_code == 401
    assert admin("get", f"/api-keys/{key.prefix}/").json()["state"] == "revoked"
    event = Event.objects.get(action="key.revoked")
    assert (event.actor, event.old) == ("ada", {"owner": "bob"})


def test_the_audit_trail_names_the_key() -> None:
    key, client = make_key(make_user("ada", "admin"), "audit.view_event")

    assert client("get", "/audit/export/").status_code == 200

    event = Event.objects.get(action="audit.exported")
    assert (event.actor, event.via) == ("ada", f"key {key.prefix} nightly")


def test_the_time_of_last_use_is_stored_every_ten_minutes() -> None:
    _, client = make_key(make_user("bob"))
    client("get", "/instruments/")
    first = ApiKey.objects.get().last_used_at
    assert first is not None

    client("get", "/instruments/")
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=first - dt.timedelta(minutes=11))
    client("get", "/instruments/")
    later = ApiKey.objects.get().last_used_at
    assert later is not None
    assert later > first


@pytest.mark.usefixtures("anonymous_reading")
@pytest.mark.parametrize("name", ["api_key", "key", "token", "access_token", "q", "API-Key"])
def test_a_key_in_the_address_is_refused(name: str) -> None:
    _, text = api_keys.create(make_user("bob"), name="n", permissions=[READ], days=1)

    response = ApiClient()("get", "/instruments/", {name: text})

    assert response.status_code == 400
    assert "Authorization" in response.json()["detail"]
    assert text not in response.content.decode()


@pytest.mark.parametrize("days", [0, -1, 100_000, "many"])
def test_invalid_days_are_refused(days: Any) -> None:
    bob = client_of_new_user("bob")

    assert (
        bob("post", "/api-keys/", {"name": "n", "permissions": [READ], "days": days}).status_code
        == 400
    )


def test_validity_is_limited_by_the_setting(settings: Any) -> None:
    settings.API_KEY_MAX_DAYS = 7
    key, _ = make_key(make_user("bob"), days=90)

    assert (key.expires_at - timezone.now()).days < 7


def test_the_command_creates_lists_and_revokes_keys() -> None:
    make_user("bob")
    text, message = run_command("create", "bob", "nightly", "--permission", READ)

    assert ApiClient(f"Api-Key {text.strip()}")("get", "/instruments/").status_code == 200
    assert "not shown again" in message
    [row] = json.loads(run_command("list", "--owner", "bob", "--format", "json")[0])
    assert row["prefix"] in run_command("list")[0]
    run_command("revoke", row["prefix"])
    assert ApiClient(f"Api-Key {text.strip()}")("get", "/instruments/").status_code == 401
    for arguments, problem in (
        (("create", "eve", "n", "--permission", READ), "no active user eve"),
        (
            ("create", "bob", "n", "--permission", "audit.view_event"),
            "Possible permissions: curation",
        ),
        (("create", "bob", "n", "--permission", READ, "--days", "0"), "1 or more"),
        (("revoke", "zzz"), "no API key with the prefix zzz"),
    ):
        with pytest.raises(CommandError, match=problem):
            run_command(*arguments)


def test_the_command_gives_a_key_all_permissions_of_its_owner() -> None:
    carl, nobody = make_user("carl", "curator"), make_user("nobody")
    nobody.groups.clear()

    text, _ = run_command("create", "carl", "laptop", "--all-permissions")

    [key] = ApiKey.objects.filter(owner=carl)
    assert permission_names(key.permissions.all()) == api_keys.grantable_permissions(carl)
    answer = ApiClient(f"Api-Key {text.strip()}")("get", "/webhooks/")
    assert answer.status_code == 200
    with pytest.raises(CommandError, match="nobody has no permission that a key may have"):
        run_command("create", "nobody", "laptop", "--all-permissions")
    with pytest.raises(CommandError, match="not allowed with argument"):
        run_command("create", "carl", "n", "--all-permissions", "--permission", READ)
    with pytest.raises(CommandError, match="--permission --all-permissions is required"):
        run_command("create", "carl", "n")


def test_keys_can_be_revoked_in_the_admin(client: Client) -> None:
    key, key_client = make_key(make_user("bob"))
    other, _ = make_key(make_user("cleo", "curator"))
    path = "/admin/accounts/apikey/"
    form = {"action": "revoke", "_selected_action": [key.pk]}
    client.force_login(User.objects.get(username="cleo"))
    client.post(path, form)
    assert key_client("get", "/instruments/").status_code == 200, (
        "a curator can revoke only the own keys"
    )

    client.force_login(make_user("ada", "admin"))
    client.post(path, form)

    assert key_client("get", "/instruments/").status_code == 401
    other.refresh_from_db()
    assert other.state == "usable"
    assert (
        client_with_token(User.objects.get(username="bob"))("get", "/auth/me/").status_code == 200
    )


def test_the_number_of_usable_keys_per_user_is_limited(settings: Any) -> None:
    settings.API_KEYS_PER_USER = 2
    bob = make_user("bob")
    client = client_with_token(bob)
    first, _ = make_key(bob)
    make_key(bob)
    body = {"name": "third", "permissions": [READ]}

    refused = client("post", "/api-keys/", body)
    assert refused.status_code == 409
    assert "Revoke one first" in refused.json()["detail"]
    with pytest.raises(CommandError, match="2 usable API keys"):
        run_command("create", "bob", "third", "--permission", READ)
    make_key(make_user("eve"))

    api_keys.revoke(first)
    assert client("post", "/api-keys/", body).status_code == 201
    ApiKey.objects.filter(owner=bob).update(expires_at=timezone.now())
    assert client("post", "/api-keys/", body).status_code == 201, "expired keys do not count"


def test_a_key_that_is_sent_as_a_token_is_told_how_to_send_it() -> None:
    owner = make_user("bob")
    text = api_keys.create(owner, name="n", permissions=[READ], days=1)[1]

    response = ApiClient(f"Bearer {text}")("get", "/auth/me/")

    assert response.status_code == 401
    assert "Authorization: Api-Key <key>" in response.json()["detail"]
