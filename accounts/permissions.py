"""Django's permissions by name, "app_label.codename", as access rules, roles and API keys use them."""

from collections.abc import Iterable

from django.contrib.auth.models import Permission
from django.db.models import QuerySet

from accounts.models import User


def permission_name(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


def permission_names(permissions: Iterable[Permission]) -> list[str]:
    return sorted(map(permission_name, permissions))


def permissions_by_name() -> dict[str, Permission]:
    """Return all permissions by name, read in one query."""
    return {permission_name(row): row for row in Permission.objects.select_related("content_type")}


def has_all(user: User, permissions: QuerySet[Permission]) -> bool:
    """Return True if the user has all of these permissions."""
    names = permission_names(permissions.select_related("content_type"))
    return set(names) <= user.get_all_permissions()
