"""Roles of one's own, beside those of the table in accounts/roles.py."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import QuerySet

from accounts.errors import NotAllowed, PermissionsNotHeld, RoleExists
from accounts.models import User
from accounts.permissions import by_name, name_of, names_of
from accounts.roles import ROLES
from audit import trail


def grantable(user: User) -> QuerySet[Permission]:
    """What this user may put into a role: nothing that the user lacks."""
    held = user.get_all_permissions()
    keys = [row.pk for name, row in by_name().items() if name in held]
    return Permission.objects.select_related("content_type").filter(pk__in=keys)


def names_in(group: Group) -> list[str]:
    return names_of(group.permissions.select_related("content_type"))


@transaction.atomic
def create(name: str, permissions: Sequence[str], *, request: Any) -> Group:
    """A new role. Raises RoleExists, PermissionsNotHeld."""
    if Group.objects.filter(name__iexact=name).exists():
        raise RoleExists(name)
    rows = _rows(permissions, request.user)
    group = Group.objects.create(name=name)
    group.permissions.set(rows)
    said = {"permissions": names_in(group)}
    trail.record("group.created", request=request, about=group, new=said)
    return group


@transaction.atomic
def change(group: Group, permissions: Sequence[str], *, request: Any) -> None:
    """Give a role these permissions and no others. Raises NotAllowed, PermissionsNotHeld."""
    _is_own(group)
    old = names_in(group)
    group.permissions.set(_rows(permissions, request.user))
    trail.record(
        "group.changed",
        request=request,
        about=group,
        old={"permissions": old},
        new={"permissions": names_in(group)},
    )


@transaction.atomic
def delete(group: Group, *, request: Any) -> None:
    """Remove a role, from whoever has it too. Raises NotAllowed."""
    _is_own(group)
    said = {"permissions": names_in(group), "users": group.user_set.count()}
    trail.record("group.deleted", request=request, about=group, old=said)
    group.delete()


def _is_own(group: Group) -> None:
    if group.name in ROLES:
        raise NotAllowed(f"{group.name} is as accounts/roles.py says; make a role of your own.")


def _rows(names: Sequence[str], user: User) -> list[Permission]:
    found = {name_of(row): row for row in grantable(user)}
    if missing := sorted(set(names) - found.keys()):
        raise PermissionsNotHeld(missing)
    return [found[name] for name in set(names)]
