"""What happens to an account: by the API, the commands, and noted in the audit trail."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.errors import NotAllowed, UnknownRole
from accounts.models import User
from accounts.permissions import names_of
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
    """A user with these roles; Django's validators have the say on the password."""
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
    """Give a user these roles and no others; a role of staff opens the admin's pages."""
    groups = list(Group.objects.filter(name__in=names))
    if unknown := sorted(set(names) - {group.name for group in groups}):
        known = Group.objects.order_by("name").values_list("name", flat=True)
        raise UnknownRole(unknown[0], known=list(known))
    _may_be_changed(user, request)
    _may_be_given(groups, request)
    old = user.roles
    user.groups.set(groups)
    user._prefetched_objects_cache = {}  # type: ignore[attr-defined]
    user.is_staff = user.is_superuser or any(
        ROLES[group.name].staff for group in groups if group.name in ROLES
    )
    user.save(update_fields=["is_staff"])
    if old != user.roles:
        trail.record(
            "user.roles", request=request, about=user, old={"roles": old}, new={"roles": user.roles}
        )


@transaction.atomic
def set_active(user: User, active: bool, *, request: Any = None) -> None:
    """Switch an account on, or off; off ends its sessions and tokens, and its keys do not work."""
    _may_be_changed(user, request)
    if request is not None and not active and request.user.pk == user.pk:
        raise NotAllowed("You cannot deactivate yourself: ask another admin.")
    if user.is_active == active:
        return
    user.is_active = active
    user.save(update_fields=["is_active"])
    action = "user.activated" if active else "user.deactivated"
    trail.record(action, request=request, about=user)


@transaction.atomic
def set_password(user: User, password: str, *, request: Any = None) -> None:
    """Another password: all sessions and tokens of the user end."""
    if request is not None and request.user.pk != user.pk:
        _may_be_changed(user, request)
    validate_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    trail.record("user.password", request=request, about=user)


@transaction.atomic
def set_email(user: User, email: str, *, request: Any = None) -> None:
    """Another address; it signs nobody in."""
    if request is not None and request.user.pk != user.pk:
        _may_be_changed(user, request)
    old, user.email = user.email, User.objects.normalize_email(email)
    if old != user.email:
        user.save(update_fields=["email"])
        trail.record(
            "user.email", request=request, about=user, old={"email": old}, new={"email": user.email}
        )


def is_above(user: User, other: User) -> bool:
    """Whether `user` may do what `other` may not, when switched on: then `other` does not change them."""
    if other.is_superuser:
        return False
    held = Permission.objects.filter(Q(group__user=user) | Q(user=user)).distinct()
    return user.is_superuser or _exceeds(held, other)


def _exceeds(permissions: QuerySet[Permission], user: User) -> bool:
    named = names_of(permissions.select_related("content_type"))
    return not set(named) <= user.get_all_permissions()


def _may_be_changed(user: User, request: Any) -> None:
    """Nobody changes who may do more; commands are run by who owns the machine."""
    if request is not None and is_above(user, request.user):
        raise NotAllowed(f"{user.username} may do more than you: somebody else must change that.")


def _may_be_given(groups: list[Group], request: Any) -> None:
    """Nobody gives what they lack."""
    given = Permission.objects.filter(group__in=groups).distinct()
    if request is not None and not request.user.is_superuser and _exceeds(given, request.user):
        raise NotAllowed("These roles may do more than you: somebody else must give them.")
