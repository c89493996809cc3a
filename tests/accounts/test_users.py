"""User accounts by API, admin and commands."""

import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from audit.models import Event
from tests.accounts.clients import (
    API,
    PASSWORD,
    ApiClient,
    client_of_new_user,
    client_with_token,
    make_user,
)

pytestmark = pytest.mark.django_db


def run_command(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_an_admin_creates_users_assigns_roles_and_deactivates_accounts() -> None:
    admin = client_of_new_user("ada", "admin")

    created = admin(
        "post", "/users/", {"username": "bob", "password": PASSWORD, "email": "bob@example.org"}
    )
    assert created.status_code == 201
    assert created.json()["roles"] == ["viewer"]
    assert "password" not in created.json()

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
def test_an_invalid_new_user_is_refused_naming_the_field(data: dict[str, Any], field: str) -> None:
    admin = client_of_new_user("ada", "admin")

    response = admin("post", "/users/", data)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert not User.objects.filter(username__startswith="b").exists()


@pytest.mark.parametrize("role", ["viewer", "analyst", "curator"])
def test_only_admins_view_or_change_users(role: str) -> None:
    client = client_of_new_user("eve", role)
    make_user("bob")

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
            client(method, path, {"roles": ["admin"]} if method == "patch" else None).status_code
            == 403
        )
    assert User.objects.get(username="eve").roles == [role]


def test_users_cannot_assign_roles_to_themselves() -> None:
    client = client_of_new_user("eve")

    for data in (
        {"roles": ["admin"]},
        {"is_superuser": True},
        {"is_staff": True, "email": "a@b.eu"},
    ):
        response = client("patch", "/auth/me/", data)
        assert response.status_code == 400
        assert set(response.json()["errors"]) & {"roles", "is_superuser", "is_staff"}

    eve = User.objects.get(username="eve")
    assert (eve.roles, eve.is_superuser, eve.is_staff, eve.email) == (["viewer"], False, False, "")
    assert client("patch", "/auth/me/", {"email": "eve@example.org"}).status_code == 200


def test_an_admin_cannot_change_a_superuser_or_deactivate_the_own_account() -> None:
    User.objects.create_superuser("root", password=PASSWORD)
    admin = client_of_new_user("ada", "admin")

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


def test_a_partly_invalid_change_changes_nothing() -> None:
    admin = client_of_new_user("ada", "admin")
    make_user("bob")

    response = admin("patch", "/users/bob/", {"roles": ["admin"], "password": "short"})

    assert response.status_code == 400
    assert User.objects.get(username="bob").roles == ["viewer"]


def test_roles_are_listed_with_their_permissions() -> None:
    admin = client_of_new_user("ada", "admin")

    roles = admin("get", "/roles/").json()["results"]

    assert [role["name"] for role in roles] == ["admin", "analyst", "curator", "viewer"]
    assert "instruments.view_instrument" in admin("get", "/roles/viewer/").json()["permissions"]


def test_changing_the_own_password_requires_the_old_one() -> None:
    bob = make_user("bob")
    client = client_with_token(bob)
    new = "something else 42"

    wrong = client("post", "/auth/password/", {"old_password": "guess", "new_password": new})
    assert wrong.status_code == 400
    assert list(wrong.json()["errors"]) == ["old_password"]
    weak = client("post", "/auth/password/", {"old_password": PASSWORD, "new_password": "bob"})
    assert list(weak.json()["errors"]) == ["password"]
    done = client("post", "/auth/password/", {"old_password": PASSWORD, "new_password": new})

    assert done.status_code == 204
    assert client("get", "/auth/me/").status_code == 401, "tokens end when the password changes"
    credentials = {"username": "bob", "password": new}
    assert ApiClient()("post", "/auth/token/", credentials).status_code == 200


def test_changing_the_own_password_ends_all_other_sessions() -> None:
    bob = make_user("bob")
    session, other_session = Client(), Client()
    session.force_login(bob)
    other_session.force_login(bob)

    response = session.post(
        f"{API}/auth/password/",
        {"old_password": PASSWORD, "new_password": "something else 42"},
        content_type="application/json",
    )

    assert response.status_code == 204
    assert session.get(f"{API}/auth/me/").status_code == 200
    assert other_session.get(f"{API}/auth/me/").status_code == 401


def test_the_command_creates_lists_and_changes_users() -> None:
    output = run_command("users", "create", "bob", "--role", "analyst", "--random-password")
    password = output.split("The password is ")[1].split()[0]

    assert User.objects.get(username="bob").check_password(password)
    assert "curator" in run_command("users", "set-role", "bob", "curator")
    assert User.objects.get(username="bob").is_staff
    run_command("users", "deactivate", "bob")
    assert not User.objects.get(username="bob").is_active
    run_command("users", "activate", "bob")
    [row] = json.loads(run_command("users", "list", "--format", "json"))
    assert (row["username"], row["roles"], row["is_active"]) == ("bob", ["curator"], True)
    assert "bob" in run_command("users", "list", "--role", "curator")
    assert "No users." in run_command("users", "list", "--role", "admin")
    assert set(Event.objects.values_list("via", flat=True)) == {"command"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("set-role", "bob", "boss"), "existing roles are: admin, analyst, curator, viewer"),
        (("set-role", "nobody", "viewer"), "no user nobody"),
        (("create", "bob", "--random-password"), "already exists"),
        (("create", "b b", "--random-password"), "valid user name"),
        (("create", "eve", "--role", "boss", "--random-password"), "no role 'boss'"),
    ],
)
def test_the_command_reports_errors(arguments: tuple[str, ...], message: str) -> None:
    make_user("bob")

    with pytest.raises(CommandError, match=message):
        run_command("users", *arguments)
    assert User.objects.count() == 1


def test_create_admin_creates_a_superuser_once() -> None:
    assert "password" in run_command("create_admin")
    assert User.objects.get(username="admin").is_superuser
    assert Event.objects.get(object_id="admin").new == {"is_superuser": True}
    assert "already" in run_command("create_admin")
    assert "superuser" in run_command("users", "list")


def test_only_a_superuser_can_create_a_superuser_in_the_admin(client: Client) -> None:
    root = User.objects.create_superuser("root", password=PASSWORD)
    ada, bob = make_user("ada", "admin"), make_user("bob")
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


@pytest.mark.parametrize("role", ["admin", "superuser"])
def test_an_account_is_not_renamed_in_the_admin(role: str, client: Client) -> None:
    """Lists, webhooks and corrections belong to a name: the next user of a free one would have them."""
    admin = make_user("ada", "admin")
    if role == "superuser":
        admin = User.objects.create_superuser("root", password=PASSWORD)
    bob = make_user("bob")
    client.force_login(admin)
    form = {"username": "bobby", "email": "b@example.org", "is_active": "on"}

    assert client.post(f"/admin/accounts/user/{bob.pk}/change/", form).status_code == 302

    bob.refresh_from_db()
    assert (bob.username, bob.email) == ("bob", "b@example.org")


def test_a_password_set_in_the_admin_is_recorded_without_its_text(client: Client) -> None:
    ada, bob = make_user("ada", "admin"), make_user("bob")
    bobs = client_with_token(bob)
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


def test_the_own_password_can_be_changed_in_the_admin_and_is_recorded(client: Client) -> None:
    ada = make_user("ada", "admin")
    client.force_login(ada)
    new = "another 9 good one"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}

    assert client.post("/admin/password_change/", {**form, "old_password": "x"}).status_code == 200
    assert not Event.objects.filter(action="user.password").exists()
    assert client.post("/admin/password_change/", form).status_code == 302

    assert Event.objects.get(action="user.password").address == "127.0.0.1"
    assert client.get("/admin/").status_code == 200


def test_built_in_roles_cannot_be_changed_in_the_admin(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    custom = Group.objects.create(name="auditors")
    built_in = Group.objects.get(name="viewer")

    assert client.post(f"/admin/auth/group/{built_in.pk}/change/", {"name": "x"}).status_code == 403
    assert client.post(f"/admin/auth/group/{custom.pk}/change/", {"name": "y"}).status_code == 302
    assert Event.objects.filter(action="group.changed").get().old == {"name": "auditors"}


@pytest.mark.parametrize("role", ["admin", "superuser"])
def test_nobody_deactivates_the_own_account_in_the_admin(role: str, client: Client) -> None:
    if role == "superuser":
        user = User.objects.create_superuser("root", password=PASSWORD)
    else:
        user = make_user("ada", "admin")
    client.force_login(user)
    groups = list(user.groups.values_list("pk", flat=True))

    form = {"username": user.username, "email": "new@example.org", "groups": groups}
    response = client.post(f"/admin/accounts/user/{user.pk}/change/", form)

    assert response.status_code == 302
    user.refresh_from_db()
    assert (user.email, user.is_active, user.is_staff) == ("new@example.org", True, True)
    assert user.is_superuser == (role == "superuser")


@pytest.mark.parametrize(
    "name", [".", "..", "...", "@", "_x", "\u0430da", "\uff42ob", "b\u200bob", "b/b", "bob%", "b:b"]
)
def test_dot_names_and_other_scripts_are_refused(name: str) -> None:
    admin = client_of_new_user("ada", "admin")

    response = admin("post", "/users/", {"username": name, "password": PASSWORD})

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["username"]
    for command in (
        ("users", "create", name, "--random-password"),
        ("create_admin", "--username", name),
    ):
        with pytest.raises(CommandError, match="valid user name"):
            run_command(*command)
    assert User.objects.count() == 1


@pytest.mark.parametrize("name", ["BILL", "B1ll", "bi11", "biIl"])
def test_a_name_that_looks_like_another_is_refused(name: str) -> None:
    make_user("bill")
    admin = client_of_new_user("ada", "admin")

    response = admin("post", "/users/", {"username": name, "password": PASSWORD})

    assert response.json()["errors"] == {"username": ["This name looks like that of another user."]}


def test_an_account_with_a_look_alike_can_still_be_changed() -> None:
    make_user("bill")
    User.objects.create_user("b1ll")

    User.objects.get(username="b1ll").full_clean(exclude=["password"])


@pytest.mark.parametrize("name", ["o'brien@example.org", "carla.2@x", "A+b-c_d", "7", "bob"])
def test_usual_names_are_accepted(name: str) -> None:
    make_user(name)

    admin = client_of_new_user("ada", "admin")
    assert admin("get", f"/users/{name}/").json()["username"] == name
