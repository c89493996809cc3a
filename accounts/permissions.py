"""Django's permissions by the names that rules, roles and keys use: "app.codename"."""

from collections.abc import Iterable

from django.contrib.auth.models import Permission


def name_of(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


def names_of(permissions: Iterable[Permission]) -> list[str]:
    return sorted(map(name_of, permissions))


def by_name() -> dict[str, Permission]:
    """All there are, in one query."""
    return {name_of(row): row for row in Permission.objects.select_related("content_type")}
