"""The tables to copy and compare, and their order, read from the models of all apps."""

import graphlib
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connections, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

# Tables that belong to the target: its migrations and the progress of the transfer. Sessions end with a move.
NOT_COPIED = {"django_migrations", "databases_copiedtable", "django_session"}

Model = type[models.Model]


def in_order() -> list[Model]:
    """Return the models whose tables are copied, each after those that its rows refer to.

    Nullable references are ignored, so that a cycle can be entered.
    """
    models_by_table = {
        model._meta.db_table: model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and not model._meta.swapped
        if model._meta.db_table not in NOT_COPIED
    }
    graph = {
        name: set(_needed(model)) & set(models_by_table)
        for name, model in sorted(models_by_table.items())
    }
    return [models_by_table[name] for name in graphlib.TopologicalSorter(graph).static_order()]


def _needed(model: Model) -> Iterator[str]:
    for field in fields(model):
        other = field.related_model
        if isinstance(other, type) and not field.null and other is not model:
            yield other._meta.db_table


def fields(model: Model) -> "list[models.Field[Any, Any]]":
    """Return the columns of the model's own table, in order."""
    return list(model._meta.local_concrete_fields)


def unknown(alias: str) -> list[str]:
    """Return the tables of a database without a model: derived ones, or foreign ones."""
    managed = [m._meta for m in apps.get_models(include_auto_created=True) if m._meta.managed]
    known = {options.db_table for options in managed} | NOT_COPIED
    existing = connections[alias].introspection.table_names()
    return sorted(set(existing) - known)


def applied(alias: str) -> set[tuple[str, str]]:
    """Return the migrations applied to a database."""
    return set(MigrationRecorder(connections[alias]).applied_migrations())


def of_this_release() -> set[tuple[str, str]]:
    """Return the migrations of the installed release."""
    return set(MigrationLoader(None).disk_migrations or {})


def named(migrations: set[tuple[str, str]]) -> list[str]:
    return sorted(f"{app}.{name}" for app, name in migrations)
