"""Roles: a table in the code, groups in the database."""

import itertools

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from accounts.roles import ROLES, bring_up_to_date

# Permissions of capabilities that are still to come; a line goes when its app has the permission.
AHEAD = {
    "instruments.export_instrument",
    "instruments.lookup_instrument",
    "instruments.enrich_instrument",
    "instruments.view_correction",
    "instruments.add_correction",
    "instruments.change_correction",
    "esma_files.download_esmafile",
    "esma_files.load_esmafile",
    "esma_files.keep_esmafile",
    "esma_files.delete_esmafile",
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
    made = Permission.objects.get(codename="view_esmafile")
    Permission.objects.create(
        codename="load_esmafile", name="Can load", content_type=made.content_type
    )
    assert "esma_files.load_esmafile" not in held("curator")

    bring_up_to_date()

    assert "esma_files.load_esmafile" in held("curator")
    assert "esma_files.load_esmafile" not in held("analyst")


def test_a_role_that_looks_after_something_opens_the_admin() -> None:
    assert [name for name, role in ROLES.items() if role.staff] == ["curator", "admin"]
