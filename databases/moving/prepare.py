"""Check and prepare two databases before rows are copied from one to the other, or compared."""

import sys
from collections.abc import Callable

from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connections

from audit import append_only
from databases import named, tables
from databases.errors import SchemasDiffer, TargetInUse
from databases.models import CopiedTable
from databases.tables import Model
from marketdata.common.numbers import format_count

# Tables that `migrate` fills by signals and data migrations. Their keys may differ from the source's, so they
# are copied too.
_FILLED = {
    *("django_content_type", "auth_permission", "auth_group", "auth_group_permissions"),
    "instruments_changeset",
}


def prepare(
    source: str, target: str, *, origin: str, restart: bool, beginning: Callable[[], None]
) -> bool:
    """Create the target's tables, and empty those that this fills. Return True to continue a transfer.

    `beginning` is called before anything is written, unless a transfer continues. Raises SchemasDiffer, and
    TargetInUse where there are rows that no transfer from `origin` has copied.
    """
    fits_release(source, "source")
    lacks = _unlike_release(target)[0]
    begun = _begun(target, origin)
    if begun:
        fits_release(target, "target")
        if not restart:
            return True
    else:
        _only_what_migrate_fills(target)
    beginning()
    if lacks:
        with named.as_default(target):
            call_command("migrate", database=target, verbosity=0, stdout=sys.stderr)
    fits_release(target, "target")
    models = tables.in_order()
    _empty(target, [*models, CopiedTable])
    CopiedTable.objects.using(target).bulk_create(
        [CopiedTable(table=model._meta.db_table, source=origin) for model in models]
    )
    return False


def fits_release(alias: str, which: str) -> None:
    """Raise SchemasDiffer where a database has other migrations than this release."""
    lacks, unknown = _unlike_release(alias)
    if lacks or unknown:
        raise SchemasDiffer(which, lacks=lacks, unknown=unknown)


def _unlike_release(alias: str) -> tuple[list[str], list[str]]:
    """Return the migrations that a database lacks, and those unknown to this release."""
    applied, required = tables.applied(alias), tables.of_this_release()
    return tables.named(required - applied), tables.named(applied - required)


def _begun(target: str, origin: str) -> bool:
    """Return True where the target holds an unfinished transfer from this origin and no other rows.

    Raises TargetInUse where it holds other rows.
    """
    if CopiedTable._meta.db_table not in connections[target].introspection.table_names():
        return False
    notes = CopiedTable.objects.using(target)
    other_transfer = notes.exclude(source=origin).first()
    if other_transfer is not None:
        raise TargetInUse(f"The target holds rows copied from {other_transfer.source}")
    copied = {note.table: note.rows for note in notes}
    for model in tables.in_order() if copied else []:
        name = model._meta.db_table
        count = model._base_manager.using(target).count()
        if count != copied.get(name, 0):
            raise TargetInUse(
                f"{name} in the target is in use: it has {format_count(count, 'row')}, of which"
                f" {copied.get(name, 0):,} were copied"
            )
    return bool(copied)


def _only_what_migrate_fills(target: str) -> None:
    existing = set(connections[target].introspection.table_names())
    migrated = bool(tables.applied(target))
    known = {model._meta.db_table for model in tables.in_order()} if migrated else set()
    unknown = existing - tables.NOT_COPIED if not migrated else set()
    with connections[target].cursor() as cursor:
        for name in sorted(unknown | (existing & known) - _FILLED):
            cursor.execute(f"SELECT count(*) FROM {connections[target].ops.quote_name(name)}")
            if cursor.fetchone()[0]:
                raise TargetInUse(f"The target has rows of its own in {name}")


def _empty(target: str, models: list[Model]) -> None:
    connection = connections[target]
    names = [model._meta.db_table for model in models]
    statements = connection.ops.sql_flush(
        no_style(), names, reset_sequences=True, allow_cascade=False
    )
    with append_only.lifted(target):
        connection.ops.execute_sql_flush(statements)
