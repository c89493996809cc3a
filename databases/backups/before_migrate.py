"""A safety backup before migrations that may lose data, made on Django's `pre_migrate` signal."""

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from django.apps.registry import Apps
from django.db import connections, models
from django.db.migrations import Migration, operations
from django.db.migrations.operations.base import Operation

from databases import tables
from databases.backups import sqlite
from databases.backups.create import create

_FORWARDS = (operations.DeleteModel, operations.RemoveField)
_BACKWARDS = (operations.CreateModel, operations.AddField)


def back_up(
    *,
    using: str,
    plan: list[tuple[Migration, bool]],
    apps: Apps,
    stdout: TextIO,
    **signal: Any,
) -> None:
    """Back up the database where the plan deletes or rewrites data of existing rows."""
    connection = connections[using]
    if not plan or not tables.applied(using):  # nothing to do, or a fresh database
        return
    losses = list(_losses(plan, apps, using))
    if not losses:
        return
    reasons = ", ".join(losses)
    if connection.vendor != "sqlite":
        now = dt.datetime.now(dt.UTC)
        stdout.write(
            f"  To undo {reasons}: point-in-time restore to {now:%Y-%m-%d %H:%M:%S} UTC.\n"
        )
    elif not connection.is_in_memory_db():  # type: ignore[attr-defined]  # SQLite has it
        stdout.write(f"  Backing up first, because of {reasons} ...\n")
        backup = create(sqlite.file_of(using), reason="before-migrate")
        stdout.write(f"  Made {backup.path}\n")


def _losses(plan: Iterable[tuple[Migration, bool]], apps: Apps, using: str) -> Iterator[str]:
    for migration, backwards in plan:
        for operation in _flat(migration.operations):
            if _may_lose(operation, migration.app_label, apps, using, backwards=backwards):
                undone = "undoing " if backwards else ""
                yield f"{undone}{migration.app_label}.{migration.name} ({operation.describe()})"


def _flat(nested: Iterable[Operation]) -> Iterator[Operation]:
    for operation in nested:
        if isinstance(operation, operations.SeparateDatabaseAndState):
            yield from _flat(operation.database_operations)
        else:
            yield operation


def _may_lose(operation: Operation, app: str, apps: Apps, using: str, *, backwards: bool) -> bool:
    if isinstance(operation, operations.RunPython):
        code = operation.reverse_code if backwards else operation.code
        return code is not operations.RunPython.noop
    if isinstance(operation, operations.RunSQL):
        sql = operation.reverse_sql if backwards else operation.sql
        return sql != operations.RunSQL.noop
    if isinstance(operation, operations.AlterField):
        return _is_another_column(operation, app, apps, using)
    if isinstance(operation, _BACKWARDS if backwards else _FORWARDS):
        name = getattr(operation, "model_name", "") or operation.name
        return _has_rows(name, app, apps, using)
    return False


def _is_another_column(operation: operations.AlterField, app: str, apps: Apps, using: str) -> bool:
    """Return True where stored values may change: not for a new help text, for example."""
    try:
        now = apps.get_model(app, operation.model_name)._meta.get_field(operation.name)
    except LookupError:  # of a table that this plan creates
        return False
    if not isinstance(now, models.Field) or now.is_relation or operation.field.is_relation:
        return _has_rows(operation.model_name, app, apps, using)
    connection = connections[using]
    same = now.db_type(connection) == operation.field.db_type(connection)
    return (not same or now.null != operation.field.null) and _has_rows(
        operation.model_name, app, apps, using
    )


def _has_rows(name: str, app: str, apps: Apps, using: str) -> bool:
    try:
        model = apps.get_model(app, name)
    except LookupError:  # this plan creates it
        return False
    return bool(model._meta.managed) and model._base_manager.using(using).exists()
