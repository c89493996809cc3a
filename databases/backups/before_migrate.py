"""A check, and perhaps a safety backup, before migrations, on Django's `pre_migrate` signal."""

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from django.apps import apps as installed
from django.apps.registry import Apps
from django.conf import settings
from django.core.management.base import CommandError
from django.db import connections, models
from django.db.migrations import Migration, operations
from django.db.migrations.operations.base import Operation

from databases import tables
from databases.backups import sqlite
from databases.backups.create import create
from databases.errors import OtherMigrations
from marketdata.common.errors import MarketDataError

_FORWARDS = (operations.DeleteModel, operations.RemoveField)
_BACKWARDS = (operations.CreateModel, operations.AddField)


def prepare(
    *,
    using: str,
    plan: list[tuple[Migration, bool]],
    apps: Apps,
    stdout: TextIO,
    **signal: Any,
) -> None:
    """Refuse a database of other migrations, and back it up where the plan deletes or rewrites data.

    Raises CommandError, which the command `migrate` prints as one line.
    """
    if not plan or not tables.applied(using):  # nothing to do, or a fresh database
        return
    try:
        if unknown := _list_unknown(using):
            raise OtherMigrations(unknown)
        _back_up(using, plan, apps, stdout)
    except MarketDataError as error:
        raise CommandError(str(error)) from error


def _list_unknown(using: str) -> list[str]:
    """Return the migrations of this project's apps that the database has, and this release lacks."""
    own = {
        app.label
        for app in installed.get_app_configs()
        if Path(app.path).parent == settings.BASE_DIR
    }
    unknown = tables.applied(using) - tables.of_this_release()
    return tables.named({(app, name) for app, name in unknown if app in own})


def _back_up(using: str, plan: list[tuple[Migration, bool]], state: Apps, stdout: TextIO) -> None:
    connection = connections[using]
    losses = list(_losses(plan, state, using))
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
