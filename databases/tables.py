"""Which tables there are to copy and compare, and in which order: read from the models of all apps."""

import graphlib
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connections, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

# The target's own: what was migrated there, how far the transfer is. Sessions end with a move.
NOT_COPIED = {"django_migrations", "databases_copiedtable", "django_session"}

Model = type[models.Model]


def in_order() -> list[Model]:
    """The models whose tables are copied, each after those that its rows point to.

    Pointers that may be empty do not count: so a cycle can be entered somewhere.
    """
    wanted = {
        model._meta.db_table: model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and not model._meta.swapped
        if model._meta.db_table not in NOT_COPIED
    }
    graph = {name: set(_needed(model)) & set(wanted) for name, model in sorted(wanted.items())}
    return [wanted[name] for name in graphlib.TopologicalSorter(graph).static_order()]


def _needed(model: Model) -> Iterator[str]:
    for field in fields(model):
        other = field.related_model
        if isinstance(other, type) and not field.null and other is not model:
            yield other._meta.db_table


def fields(model: Model) -> "list[models.Field[Any, Any]]":
    """The columns of its own table, in order."""
    return list(model._meta.local_concrete_fields)


def unknown(alias: str) -> list[str]:
    """Tables of a database that no model has: derived ones, or those that others made."""
    managed = [m._meta for m in apps.get_models(include_auto_created=True) if m._meta.managed]
    known = {options.db_table for options in managed} | NOT_COPIED
    found = connections[alias].introspection.table_names()
    return sorted(set(found) - known)


def applied(alias: str) -> set[tuple[str, str]]:
    """The migrations that a database has had."""
    return set(MigrationRecorder(connections[alias]).applied_migrations())


def of_this_release() -> set[tuple[str, str]]:
    """The migrations that the installed code has."""
    return set(MigrationLoader(None).disk_migrations or {})


def named(migrations: set[tuple[str, str]]) -> list[str]:
    return sorted(f"{app}.{name}" for app, name in migrations)
