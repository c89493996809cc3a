"""Create, change and delete custom roles: those beside the built-in ones of accounts/roles.py."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import QuerySet

from accounts.errors import NotAllowed, PermissionsNotHeld, RoleExists
from accounts.models import User
from accounts.permissions import (
    has_all,
    permission_name,
    permission_names,
    permissions_by_name,
)
from accounts.roles import ROLES
from audit import trail


def grantable_permissions(user: User) -> QuerySet[Permission]:
    """Return the permissions that this user may put into a role: those that the user has."""
    held = user.get_all_permissions()
    keys = [row.pk for name, row in permissions_by_name().items() if name in held]
    return Permission.objects.select_related("content_type").filter(pk__in=keys)


@transaction.atomic
def create(name: str, permissions: Sequence[str], *, request: Any) -> Group:
    """Return a new role with these permissions. Raises RoleExists, PermissionsNotHeld."""
    if Group.objects.filter(name__iexact=name).exists():
        raise RoleExists(name)
    rows = _permission_rows(permissions, request.user)
    group = Group.objects.create(name=name)
    group.permissions.set(rows)
    trail.record("group.created", request=request, about=group, new=_permissions_of(group))
    return group


@transaction.atomic
def change(group: Group, permissions: Sequence[str], *, request: Any) -> None:
    """Replace the permissions of a role. Raises NotAllowed, PermissionsNotHeld."""
    _check_may_change(group, request.user)
    old = _permissions_of(group)
    group.permissions.set(_permission_rows(permissions, request.user))
    trail.record("group.changed", request=request, about=group, old=old, new=_permissions_of(group))


@transaction.atomic
def delete(group: Group, *, request: Any) -> None:
    """Delete a role, which takes it from all users who have it. Raises NotAllowed."""
    _check_may_change(group, request.user)
    old = {**_permissions_of(group), "users": group.user_set.count()}
    trail.record("group.deleted", request=request, about=group, old=old)
    group.delete()


def _permissions_of(group: Group) -> dict[str, Any]:
    rows = group.permissions.select_related("content_type")
    return {"permissions": permission_names(rows)}


def may_change(group: Group, user: User) -> bool:
    """Return True if the role is a custom one and the user has all of its permissions.

    Otherwise the user could take permissions from others that they could not give back.
    """
    return group.name not in ROLES and has_all(user, group.permissions.all())


def _check_may_change(group: Group, user: User) -> None:
    """Raise NotAllowed with the reason."""
    if group.name in ROLES:
        raise NotAllowed(
            f"The role {group.name} is built in and cannot be changed. Create a role of your own."
        )
    if not may_change(group, user):
        raise NotAllowed(
            f"The role {group.name} has permissions that you do not have, so you cannot change or"
            " delete it."
        )


def _permission_rows(names: Sequence[str], user: User) -> list[Permission]:
    """Return the permissions with these names. Raises PermissionsNotHeld."""
    by_name = {permission_name(row): row for row in grantable_permissions(user)}
    if missing_names := sorted(set(names) - by_name.keys()):
        raise PermissionsNotHeld(missing_names)
    return [by_name[name] for name in set(names)]
