"""Create and change user accounts. Every change is written to the audit trail.

`request` is the request of the user who makes the change; without one a command makes it, which may change
everybody.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.db.models import Q

from accounts.errors import NotAllowed, UnknownRole
from accounts.models import User
from accounts.permissions import has_all
from accounts.roles import ROLES
from audit import trail


@transaction.atomic
def create(
    username: str,
    *,
    password: str,
    roles: Sequence[str] = ("viewer",),
    email: str = "",
    request: Any = None,
) -> User:
    """Return a new user with these roles.

    Raises Django's ValidationError for a weak password or an invalid name, UnknownRole and NotAllowed.
    """
    user = User(username=username, email=User.objects.normalize_email(email))
    validate_password(password, user)
    user.set_password(password)
    user.full_clean()
    user.save()
    trail.record("user.created", request=request, about=user, new={"email": email})
    set_roles(user, roles, request=request)
    return user


@transaction.atomic
def set_roles(user: User, names: Sequence[str], *, request: Any = None) -> None:
    """Replace the roles of a user. A staff role also opens the admin. Raises UnknownRole, NotAllowed."""
    groups = list(Group.objects.filter(name__in=names))
    if unknown_names := sorted(set(names) - {group.name for group in groups}):
        existing_names = Group.objects.order_by("name").values_list("name", flat=True)
        raise UnknownRole(unknown_names[0], existing_names=list(existing_names))
    _check_may_change(user, request)
    _check_may_grant(groups, request)
    old_roles = user.roles
    user.groups.set(groups)
    user._prefetched_objects_cache = {}  # type: ignore[attr-defined]
    user.is_staff = user.is_superuser or any(
        ROLES[group.name].is_staff for group in groups if group.name in ROLES
    )
    user.save(update_fields=["is_staff"])
    if old_roles != user.roles:
        trail.record(
            "user.roles",
            request=request,
            about=user,
            old={"roles": old_roles},
            new={"roles": user.roles},
        )


@transaction.atomic
def set_active(user: User, active: bool, *, request: Any = None) -> None:
    """Activate or deactivate an account. Raises NotAllowed.

    Deactivation ends all sessions and tokens of the user, and suspends the API keys.
    """
    _check_may_change(user, request)
    if request is not None and not active and request.user.pk == user.pk:
        raise NotAllowed("You cannot deactivate your own account. Ask another admin.")
    if user.is_active == active:
        return
    user.is_active = active
    user.save(update_fields=["is_active"])
    action = "user.activated" if active else "user.deactivated"
    trail.record(action, request=request, about=user)


@transaction.atomic
def set_password(user: User, password: str, *, request: Any = None) -> None:
    """Set a new password, which ends all sessions and tokens of the user.

    Raises NotAllowed, and Django's ValidationError for a weak password.
    """
    if request is not None and request.user.pk != user.pk:
        _check_may_change(user, request)
    validate_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    trail.record("user.password", request=request, about=user)


@transaction.atomic
def set_email(user: User, email: str, *, request: Any = None) -> None:
    """Set the e-mail address, which plays no part in signing in. Raises NotAllowed."""
    if request is not None and request.user.pk != user.pk:
        _check_may_change(user, request)
    old_email, user.email = user.email, User.objects.normalize_email(email)
    if old_email != user.email:
        user.save(update_fields=["email"])
        trail.record(
            "user.email",
            request=request,
            about=user,
            old={"email": old_email},
            new={"email": user.email},
        )


def has_more_permissions(user: User, other: User) -> bool:
    """Return True if `user`, when active, has a permission that `other` lacks.

    Then `other` may not change `user`.
    """
    if other.is_superuser:
        return False
    permissions = Permission.objects.filter(Q(group__user=user) | Q(user=user)).distinct()
    return user.is_superuser or not has_all(other, permissions)


def _check_may_change(user: User, request: Any) -> None:
    """Raise NotAllowed if the account has permissions that the user who asks lacks."""
    if request is not None and has_more_permissions(user, request.user):
        raise NotAllowed(
            f"{user.username} has permissions that you do not have, so you cannot change this account."
        )


def _check_may_grant(groups: list[Group], request: Any) -> None:
    """Raise NotAllowed if a role has permissions that the user who asks lacks."""
    permissions = Permission.objects.filter(group__in=groups).distinct()
    if request is not None and not has_all(request.user, permissions):
        raise NotAllowed(
            "These roles have permissions that you do not have, so you cannot assign them."
        )
