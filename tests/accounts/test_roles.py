"""Built-in and custom roles."""

import dataclasses
import itertools

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from accounts.roles import ROLES, update_role_groups
from audit.models import Event
from tests.accounts.clients import client_of_new_user, client_with_token, make_user

# Permissions of features that do not exist yet. Remove a name when its app defines the permission.
FUTURE_PERMISSIONS = {
    "instruments.enrich_instrument",
}
pytestmark = pytest.mark.django_db


def permissions_of(role: str) -> set[str]:
    rows = Group.objects.get(name=role).permissions.values_list(
        "content_type__app_label", "codename"
    )
    return {f"{app}.{codename}" for app, codename in rows}


@pytest.mark.parametrize("role", ROLES)
def test_a_built_in_role_has_the_permissions_of_the_table(role: str) -> None:
    existing = {
        f"{app}.{codename}"
        for app, codename in Permission.objects.values_list("content_type__app_label", "codename")
    }
    names = set(ROLES[role].permissions)

    assert names <= existing | FUTURE_PERMISSIONS, "a name in accounts/roles.py is misspelt"
    assert {name.partition(".")[0] for name in names} <= set(apps.app_configs)
    assert permissions_of(role) == names & existing


def test_each_built_in_role_has_all_permissions_of_the_one_before() -> None:
    sets = [set(role.permissions) for role in ROLES.values()]

    for lower, higher in itertools.pairwise(sets):
        assert lower < higher


def test_migrate_restores_built_in_roles_and_keeps_custom_ones() -> None:
    viewer = Group.objects.get(name="viewer")
    viewer.permissions.add(Permission.objects.get(codename="delete_user"))
    viewer.permissions.remove(Permission.objects.get(codename="view_instrument"))
    own = Group.objects.create(name="auditors")
    own.permissions.set(Permission.objects.filter(codename="view_event"))

    call_command("migrate", verbosity=0)

    assert "accounts.delete_user" not in permissions_of("viewer")
    assert "instruments.view_instrument" in permissions_of("viewer")
    assert permissions_of("auditors") == {"audit.view_event"}
    assert Group.objects.count() == len(ROLES) + 1


def test_a_permission_that_an_app_defines_later_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    analyst = ROLES["analyst"]
    permissions = (*analyst.permissions, "instruments.a_later_one")
    monkeypatch.setitem(ROLES, "analyst", dataclasses.replace(analyst, permissions=permissions))
    update_role_groups()
    assert "instruments.a_later_one" not in permissions_of("analyst")

    existing = Permission.objects.get(codename="view_instrument")
    Permission.objects.create(
        codename="a_later_one", name="Can", content_type=existing.content_type
    )
    update_role_groups()

    assert "instruments.a_later_one" in permissions_of("analyst")
    assert "instruments.a_later_one" not in permissions_of("viewer")


def test_curators_and_admins_have_access_to_the_admin() -> None:
    assert [name for name, role in ROLES.items() if role.is_staff] == ["curator", "admin"]


def test_an_admin_creates_changes_and_deletes_custom_roles() -> None:
    admin = client_of_new_user("ada", "admin")
    bob = make_user("bob")
    created = admin("post", "/roles/", {"name": "auditors", "permissions": ["audit.view_event"]})
    assert created.status_code == 201
    assert created.json() == {
        "name": "auditors",
        "description": "",
        "permissions": ["audit.view_event"],
    }
    admin("patch", "/users/bob/", {"roles": ["auditors"]})
    client = client_with_token(bob)
    assert client("get", "/audit/").status_code == 200
    assert client("get", "/instruments/").status_code == 403

    changed = admin("patch", "/roles/auditors/", {"permissions": ["instruments.view_instrument"]})
    assert changed.json()["permissions"] == ["instruments.view_instrument"]
    assert client("get", "/audit/").status_code == 403
    assert admin("delete", "/roles/auditors/").status_code == 204

    assert client("get", "/instruments/").status_code == 403
    events = Event.objects.filter(action__startswith="group").order_by("pk")
    assert [(e.action, e.actor) for e in events] == [
        ("group.created", "ada"),
        ("group.changed", "ada"),
        ("group.deleted", "ada"),
    ]
    last = events.last()
    assert last is not None
    assert last.old == {"permissions": ["instruments.view_instrument"], "users": 1}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"name": "Viewer!", "permissions": []}, "name"),
        ({"name": "viewer", "permissions": []}, "name"),
        ({"name": "a", "permissions": ["no.such"]}, "permissions"),
        ({"name": "a", "permissions": ["accounts.delete_user"]}, "permissions"),
        ({"name": "a"}, "permissions"),
        ({"name": "a", "permissions": [], "users": ["eve"]}, "users"),
    ],
)
def test_an_invalid_role_or_one_beyond_the_own_permissions_is_refused(
    data: dict[str, object], field: str
) -> None:
    admin = client_of_new_user("ada", "admin")

    response = admin("post", "/roles/", data)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert Group.objects.count() == len(ROLES)


def test_nobody_assigns_permissions_they_lack_or_changes_users_above_them(client: Client) -> None:
    """A custom role that manages users cannot be used to become an admin."""
    names = ["view_user", "change_user", "add_user", "view_instrument"]
    group = Group.objects.create(name="helpdesk")
    group.permissions.set(Permission.objects.filter(codename__in=names))
    make_user("ada", "admin")
    off = make_user("off", "admin")
    off.is_active = False
    off.save()
    make_user("bob", "helpdesk")
    desk_user = make_user("desk", "helpdesk")
    desk = client_with_token(desk_user)

    changes: list[dict[str, object]] = [
        {"password": "another 9 good one"},
        {"is_active": True},
        {"roles": []},
    ]
    for name in ("ada", "off"):
        for change in changes:
            assert desk("patch", f"/users/{name}/", change).status_code == 403, (name, change)
    for name in ("desk", "bob"):
        assert desk("patch", f"/users/{name}/", {"roles": ["admin"]}).status_code == 403
    new = {"username": "eve", "password": "another 9 good one", "roles": ["admin"]}
    assert desk("post", "/users/", new).status_code == 403
    assert not User.objects.filter(username="eve").exists()
    assert desk("patch", "/users/bob/", {"is_active": False}).status_code == 200

    desk_user.is_staff = True
    desk_user.save()
    client.force_login(desk_user)
    path = f"/admin/accounts/user/{off.pk}/"
    assert client.post(f"{path}change/", {"username": "off"}).status_code == 403
    assert client.post(f"{path}password/", {}).status_code == 403
    page = client.get(f"/admin/accounts/user/{desk_user.pk}/change/").content.decode()
    assert ">helpdesk</option>" in page
    assert ">admin</option>" not in page


def test_built_in_roles_cannot_be_changed_by_api() -> None:
    admin = client_of_new_user("ada", "admin")

    assert admin("patch", "/roles/viewer/", {"permissions": []}).status_code == 403
    assert admin("delete", "/roles/viewer/").status_code == 403
    assert "instruments.view_instrument" in permissions_of("viewer")


def test_the_admin_offers_only_permissions_that_the_user_has(client: Client) -> None:
    client.force_login(make_user("ada", "admin"))
    lacked, known = (
        Permission.objects.get(codename=name) for name in ("delete_user", "view_event")
    )

    page = client.post("/admin/auth/group/add/", {"name": "x", "permissions": [lacked.pk]})
    assert b"is not one of the available choices" in page.content
    client.post("/admin/auth/group/add/", {"name": "x", "permissions": [known.pk]})

    assert permissions_of("x") == {"audit.view_event"}


@pytest.fixture
def role_above() -> Group:
    """A custom role with a permission that admins lack."""
    group = Group.objects.create(name="purgers")
    group.permissions.set(Permission.objects.filter(codename__in=["delete_user", "view_event"]))
    return group


def test_an_admin_cannot_change_or_delete_a_role_above_their_own(role_above: Group) -> None:
    admin = client_of_new_user("ada", "admin")

    for response in (
        admin("patch", "/roles/purgers/", {"permissions": []}),
        admin("patch", "/roles/purgers/", {"permissions": ["audit.view_event"]}),
        admin("delete", "/roles/purgers/"),
    ):
        assert response.status_code == 403
        assert "permissions that you do not have" in response.json()["detail"]
    assert permissions_of("purgers") == {"accounts.delete_user", "audit.view_event"}


@pytest.mark.parametrize("action", ["change", "delete", "delete_selected"])
def test_an_admin_cannot_change_or_delete_a_role_above_their_own_in_the_admin(
    role_above: Group, action: str, client: Client
) -> None:
    client.force_login(make_user("ada", "admin"))
    path = "/admin/auth/group/"

    if action == "change":
        assert client.post(f"{path}{role_above.pk}/change/", {"name": "x"}).status_code == 403
    elif action == "delete":
        assert client.post(f"{path}{role_above.pk}/delete/", {"post": "yes"}).status_code == 403
    else:
        form = {"action": action, "_selected_action": [role_above.pk], "post": "yes"}
        client.post(path, form)

    assert permissions_of("purgers") == {"accounts.delete_user", "audit.view_event"}


def test_a_superuser_changes_and_deletes_any_custom_role(role_above: Group) -> None:
    root = client_with_token(User.objects.create_superuser("root"))

    assert root("patch", "/roles/purgers/", {"permissions": []}).status_code == 200
    assert root("delete", "/roles/purgers/").status_code == 204
