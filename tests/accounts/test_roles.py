"""Roles: a table in the code, groups in the database."""

import itertools

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from accounts.roles import ROLES, bring_up_to_date
from audit.models import Event
from tests.accounts.people import make, signed_in, with_token

# Permissions of capabilities that are still to come; a line goes when its app has the permission.
AHEAD = {
    "instruments.lookup_instrument",
    "instruments.enrich_instrument",
    "instruments.view_correction",
    "instruments.add_correction",
    "instruments.change_correction",
}
pytestmark = pytest.mark.django_db


def held(role: str) -> set[str]:
    rows = Group.objects.get(name=role).permissions.values_list(
        "content_type__app_label", "codename"
    )
    return {f"{app}.{codename}" for app, codename in rows}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_holds_what_the_table_says(role: str) -> None:
    existing = {
        f"{app}.{codename}"
        for app, codename in Permission.objects.values_list("content_type__app_label", "codename")
    }
    said = set(ROLES[role].permissions)

    assert said <= existing | AHEAD, "a name in accounts/roles.py is misspelt"
    assert {name.partition(".")[0] for name in said} <= set(apps.app_configs)
    assert held(role) == said & existing


def test_each_role_can_what_the_one_before_can() -> None:
    sets = [set(role.permissions) for role in ROLES.values()]

    for less, more in itertools.pairwise(sets):
        assert less < more


def test_migrating_again_mends_a_role_and_leaves_others_alone() -> None:
    viewer = Group.objects.get(name="viewer")
    viewer.permissions.add(Permission.objects.get(codename="delete_user"))
    viewer.permissions.remove(Permission.objects.get(codename="view_instrument"))
    own = Group.objects.create(name="auditors")
    own.permissions.set(Permission.objects.filter(codename="view_event"))

    call_command("migrate", verbosity=0)

    assert "accounts.delete_user" not in held("viewer")
    assert "instruments.view_instrument" in held("viewer")
    assert held("auditors") == {"audit.view_event"}
    assert Group.objects.count() == len(ROLES) + 1


def test_a_permission_that_an_app_gets_later_arrives() -> None:
    made = Permission.objects.get(codename="view_instrument")
    Permission.objects.create(
        codename="lookup_instrument", name="Can look up", content_type=made.content_type
    )
    assert "instruments.lookup_instrument" not in held("analyst")

    bring_up_to_date()

    assert "instruments.lookup_instrument" in held("analyst")
    assert "instruments.lookup_instrument" not in held("viewer")


def test_a_role_that_looks_after_something_opens_the_admin() -> None:
    assert [name for name, role in ROLES.items() if role.staff] == ["curator", "admin"]


def test_an_admin_makes_changes_and_removes_roles_of_their_own() -> None:
    admin = signed_in("ada", "admin")
    bob = make("bob")
    made = admin("post", "/roles/", {"name": "auditors", "permissions": ["audit.view_event"]})
    assert made.status_code == 201
    assert made.json() == {"name": "auditors", "says": "", "permissions": ["audit.view_event"]}
    admin("patch", "/users/bob/", {"roles": ["auditors"]})
    ask = with_token(bob)
    assert ask("get", "/audit/").status_code == 200
    assert ask("get", "/instruments/").status_code == 403

    changed = admin("patch", "/roles/auditors/", {"permissions": ["instruments.view_instrument"]})
    assert changed.json()["permissions"] == ["instruments.view_instrument"]
    assert ask("get", "/audit/").status_code == 403
    assert admin("delete", "/roles/auditors/").status_code == 204

    assert ask("get", "/instruments/").status_code == 403
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
def test_a_role_that_cannot_be_or_holds_more_than_its_maker_is_refused(
    data: dict[str, object], field: str
) -> None:
    admin = signed_in("ada", "admin")

    response = admin("post", "/roles/", data)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert Group.objects.count() == len(ROLES)


def test_nobody_gives_what_they_lack_or_changes_who_may_do_more(client: Client) -> None:
    """A role of one's own that looks after users is no way to become an admin."""
    names = ["view_user", "change_user", "add_user", "view_instrument"]
    group = Group.objects.create(name="helpdesk")
    group.permissions.set(Permission.objects.filter(codename__in=names))
    make("ada", "admin")
    off = make("off", "admin")
    off.is_active = False
    off.save()
    make("bob", "helpdesk")
    desk_user = make("desk", "helpdesk")
    desk = with_token(desk_user)

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


def test_the_four_roles_stay_as_the_table_says() -> None:
    admin = signed_in("ada", "admin")

    assert admin("patch", "/roles/viewer/", {"permissions": []}).status_code == 403
    assert admin("delete", "/roles/viewer/").status_code == 403
    assert "instruments.view_instrument" in held("viewer")


def test_in_the_admin_too_nobody_puts_into_a_role_what_they_lack(client: Client) -> None:
    client.force_login(make("ada", "admin"))
    lacked, known = (
        Permission.objects.get(codename=name) for name in ("delete_user", "view_event")
    )

    page = client.post("/admin/auth/group/add/", {"name": "x", "permissions": [lacked.pk]})
    assert b"is not one of the available choices" in page.content
    client.post("/admin/auth/group/add/", {"name": "x", "permissions": [known.pk]})

    assert held("x") == {"audit.view_event"}
