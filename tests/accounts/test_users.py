"""Accounts, by API, admin and commands."""

import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from audit.models import Event
from tests.accounts.people import API, PASSWORD, Caller, make, signed_in, with_token

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_an_admin_makes_users_gives_roles_and_switches_accounts_off() -> None:
    admin = signed_in("ada", "admin")

    made = admin(
        "post", "/users/", {"username": "bob", "password": PASSWORD, "email": "bob@example.org"}
    )
    assert made.status_code == 201
    assert made.json()["roles"] == ["viewer"]
    assert "password" not in made.json()

    changed = admin("patch", "/users/bob/", {"roles": ["curator", "analyst"]})
    assert changed.json()["roles"] == ["analyst", "curator"]
    assert changed.json()["is_staff"] is True

    assert admin("patch", "/users/bob/", {"is_active": False}).json()["is_active"] is False
    assert admin("get", "/users/", {"is_active": "false"}).json()["pagination"]["total"] == 1
    assert admin("get", "/users/", {"role": "admin"}).json()["results"][0]["username"] == "ada"
    assert admin("get", "/users/bob/").json()["email"] == "bob@example.org"
    events = Event.objects.filter(object_id="bob").order_by("pk").values_list("action", "actor")
    assert list(events) == [
        ("user.created", "ada"),
        ("user.roles", "ada"),
        ("user.roles", "ada"),
        ("user.deactivated", "ada"),
    ]
    assert Event.objects.filter(action="user.roles").last() is not None


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"username": "bob", "password": "short"}, "password"),
        ({"username": "bob", "password": "12345678901234"}, "password"),
        ({"username": "bobby-tables", "password": "bobby-tables1"}, "password"),
        ({"username": "b b", "password": PASSWORD}, "username"),
        ({"username": "ada", "password": PASSWORD}, "username"),
        ({"username": "ADA", "password": PASSWORD}, "username"),
        ({"username": "bob", "password": PASSWORD, "roles": ["boss"]}, "roles"),
        ({"username": "bob", "password": PASSWORD, "email": "at"}, "email"),
        ({"username": "bob", "password": PASSWORD, "is_superuser": True}, "is_superuser"),
        ({"username": "bob", "password": "x" * 2000}, "password"),
        ({"password": PASSWORD}, "username"),
    ],
)
def test_a_user_that_cannot_be_is_refused_by_field(data: dict[str, Any], field: str) -> None:
    admin = signed_in("ada", "admin")

    response = admin("post", "/users/", data)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert not User.objects.filter(username__startswith="b").exists()


@pytest.mark.parametrize("role", ["viewer", "analyst", "curator"])
def test_only_admins_see_or_change_users(role: str) -> None:
    ask = signed_in("eve", role)
    make("bob")

    for method, path in [
        ("get", "/users/"),
        ("get", "/users/bob/"),
        ("post", "/users/"),
        ("patch", "/users/bob/"),
        ("patch", "/users/eve/"),
        ("get", "/roles/"),
        ("get", "/audit/"),
    ]:
        assert (
            ask(method, path, {"roles": ["admin"]} if method == "patch" else None).status_code
            == 403
        )
    assert User.objects.get(username="eve").roles == [role]


def test_one_cannot_give_oneself_roles_by_changing_oneself() -> None:
    ask = signed_in("eve")

    for data in (
        {"roles": ["admin"]},
        {"is_superuser": True},
        {"is_staff": True, "email": "a@b.eu"},
    ):
        response = ask("patch", "/auth/me/", data)
        assert response.status_code == 400
        assert set(response.json()["errors"]) & {"roles", "is_superuser", "is_staff"}

    eve = User.objects.get(username="eve")
    assert (eve.roles, eve.is_superuser, eve.is_staff, eve.email) == (["viewer"], False, False, "")
    assert ask("patch", "/auth/me/", {"email": "eve@example.org"}).json()["email"]


def test_an_admin_does_not_touch_a_superuser_or_switch_off_oneself() -> None:
    User.objects.create_superuser("root", password=PASSWORD)
    admin = signed_in("ada", "admin")

    changes: list[dict[str, Any]] = [
        {"roles": []},
        {"is_active": False},
        {"password": "another 9 good one"},
        {"email": "a@b.eu"},
    ]
    for change in changes:
        assert admin("patch", "/users/root/", change).status_code == 403
    assert admin("patch", "/users/ada/", {"is_active": False}).status_code == 403
    root = User.objects.get(username="root")
    assert root.is_active
    assert root.check_password(PASSWORD)


def test_a_change_that_fails_half_way_changes_nothing() -> None:
    admin = signed_in("ada", "admin")
    make("bob")

    response = admin("patch", "/users/bob/", {"roles": ["admin"], "password": "short"})

    assert response.status_code == 400
    assert User.objects.get(username="bob").roles == ["viewer"]


def test_roles_are_shown_with_their_permissions() -> None:
    admin = signed_in("ada", "admin")

    roles = admin("get", "/roles/").json()["results"]

    assert [role["name"] for role in roles] == ["admin", "analyst", "curator", "viewer"]
    assert "instruments.view_instrument" in admin("get", "/roles/viewer/").json()["permissions"]


def test_everybody_changes_ones_own_password_and_needs_the_old_one() -> None:
    bob = make("bob")
    ask = with_token(bob)
    new = "something else 42"

    wrong = ask("post", "/auth/password/", {"old_password": "guess", "new_password": new})
    assert wrong.status_code == 400
    assert list(wrong.json()["errors"]) == ["old_password"]
    weak = ask("post", "/auth/password/", {"old_password": PASSWORD, "new_password": "bob"})
    assert list(weak.json()["errors"]) == ["password"]
    done = ask("post", "/auth/password/", {"old_password": PASSWORD, "new_password": new})

    assert done.status_code == 204
    assert ask("get", "/auth/me/").status_code == 401, "tokens end with the password"
    credentials = {"username": "bob", "password": new}
    assert Caller()("post", "/auth/token/", credentials).status_code == 200


def test_a_session_lives_on_when_it_changes_the_password_and_others_end() -> None:
    bob = make("bob")
    here, there = Client(), Client()
    here.force_login(bob)
    there.force_login(bob)

    response = here.post(
        f"{API}/auth/password/",
        {"old_password": PASSWORD, "new_password": "something else 42"},
        content_type="application/json",
    )

    assert response.status_code == 204
    assert here.get(f"{API}/auth/me/").status_code == 200
    assert there.get(f"{API}/auth/me/").status_code == 401


def test_the_command_makes_lists_and_changes_users() -> None:
    said = run("users", "create", "bob", "--role", "analyst", "--random-password")
    password = said.split("The password is ")[1].split()[0]

    assert User.objects.get(username="bob").check_password(password)
    assert "curator" in run("users", "set-role", "bob", "curator")
    assert User.objects.get(username="bob").is_staff
    run("users", "deactivate", "bob")
    assert not User.objects.get(username="bob").is_active
    run("users", "activate", "bob")
    [shown] = json.loads(run("users", "list", "--format", "json"))
    assert (shown["username"], shown["roles"], shown["is_active"]) == ("bob", ["curator"], True)
    assert "bob" in run("users", "list", "--role", "curator")
    assert "No users." in run("users", "list", "--role", "admin")
    assert set(Event.objects.values_list("via", flat=True)) == {"command"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set-role", "bob", "boss"), "there are admin, analyst, curator, viewer"),
        (("set-role", "nobody", "viewer"), "no user nobody"),
        (("create", "bob", "--random-password"), "already exists"),
        (("create", "b b", "--random-password"), "valid username"),
        (("create", "eve", "--role", "boss", "--random-password"), "no role 'boss'"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    make("bob")

    with pytest.raises(CommandError, match=said):
        run("users", *arguments)
    assert User.objects.count() == 1


def test_the_command_for_the_demo_makes_a_superuser_once() -> None:
    assert "password" in run("create_admin")
    assert User.objects.get(username="admin").is_superuser
    assert Event.objects.get(object_id="admin").new == {"is_superuser": True}
    assert "already" in run("create_admin")


def test_in_the_admin_only_a_superuser_makes_a_superuser(client: Client) -> None:
    root = User.objects.create_superuser("root", password=PASSWORD)
    ada, bob = make("ada", "admin"), make("bob")
    client.force_login(ada)
    path = f"/admin/accounts/user/{bob.pk}/change/"
    form = {"username": "bob", "is_active": "on", "is_superuser": "on", "is_staff": "on"}

    assert client.post(path, form).status_code == 302
    bob.refresh_from_db()
    assert (bob.is_staff, bob.is_superuser) == (True, False)
    assert client.post(f"/admin/accounts/user/{root.pk}/change/", form).status_code == 403
    assert client.post(f"/admin/accounts/user/{root.pk}/password/", {}).status_code == 403
    assert client.post(f"/admin/accounts/user/{bob.pk}/delete/", {"post": "yes"}).status_code == 403
    event = Event.objects.filter(action="user.changed").get()
    assert event.actor == "ada"
    assert event.old is not None
    assert event.new is not None
    assert event.old["is_staff"] is False
    assert event.new["is_staff"] is True


def test_a_password_set_in_the_admin_is_noted_and_not_shown(client: Client) -> None:
    ada, bob = make("ada", "admin"), make("bob")
    bobs = with_token(bob)
    client.force_login(ada)
    form = {
        "password1": "another 9 good one",
        "password2": "another 9 good one",
        "usable_password": "true",
    }

    assert client.post(f"/admin/accounts/user/{bob.pk}/password/", form).status_code == 302

    event = Event.objects.filter(action="user.password").get()
    assert (event.actor, event.object_id, event.old, event.new) == ("ada", "bob", None, None)
    assert bobs("get", "/auth/me/").status_code == 401


def test_ones_own_password_is_changed_in_the_admin_and_noted(client: Client) -> None:
    ada = make("ada", "admin")
    client.force_login(ada)
    new = "another 9 good one"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}

    assert client.post("/admin/password_change/", {**form, "old_password": "x"}).status_code == 200
    assert not Event.objects.filter(action="user.password").exists()
    assert client.post("/admin/password_change/", form).status_code == 302

    assert Event.objects.get(action="user.password").address == "127.0.0.1"
    assert client.get("/admin/").status_code == 200


def test_the_roles_of_the_table_are_not_changed_by_hand(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    own = Group.objects.create(name="auditors")
    table = Group.objects.get(name="viewer")

    assert client.post(f"/admin/auth/group/{table.pk}/change/", {"name": "x"}).status_code == 403
    assert client.post(f"/admin/auth/group/{own.pk}/change/", {"name": "y"}).status_code == 302
    assert Event.objects.filter(action="group.changed").get().old == {"name": "auditors"}
