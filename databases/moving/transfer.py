"""Copy all rows of one database into another, table by table; an interrupted transfer can be continued."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    ProgrammingError,
    connections,
    transaction,
)

from databases import named, rows, tables
from databases.errors import RowRefused, SourceChanged
from databases.models import CopiedTable
from databases.moving import writing
from databases.moving.prepare import prepare
from databases.tables import Model

# Called with a table, the number of rows done, and their total.
Watcher = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class Copied:
    table: str
    rows: int  # of the table
    now: int  # copied by this run


def transfer(
    source: str,
    target: str,
    *,
    origin: str,
    restart: bool,
    beginning: Callable[[], None],
    watcher: Watcher,
) -> Iterator[Copied]:
    """Copy each table after those that it refers to; the databases are aliases.

    The source is read in its state at the start. A page of rows and its progress are written in one
    transaction, so that an interrupted transfer continues from there. Raises the errors of `prepare`,
    SourceChanged, Unreadable and RowRefused.
    """
    with transaction.atomic(using=source):  # one state of the source
        goes_on = prepare(source, target, origin=origin, restart=restart, beginning=beginning)
        notes = {note.table: note for note in CopiedTable.objects.using(target)}
        if goes_on:
            _check_source_unchanged(source, notes)
        # Rows may refer to later rows of the same table: constraints are checked at the end.
        with connections[target].constraint_checks_disabled():
            for model in tables.in_order():
                yield _copy(model, source, target, notes[model._meta.db_table], watcher)
    connections[target].check_constraints()
    _rebuild(target)


def _copy(model: Model, source: str, target: str, note: CopiedTable, watcher: Watcher) -> Copied:
    total = model._base_manager.using(source).count()
    before = note.rows
    watcher(note.table, note.rows, total)
    if not note.done:
        key = model._meta.pk
        index = tables.fields(model).index(key)
        after = key.to_python(note.last_key) if note.rows else None
        for page in rows.pages(model, source, rows.writers(model, target), after):
            note.rows += len(page)
            note.last_key = str(page[-1][index])
            _write(model, target, page, note)
            watcher(note.table, note.rows, total)
        last = writing.last_given(model, source)
        note.done = True
        with transaction.atomic(using=target):
            if last is not None:
                writing.go_on_after(model, target, last)
            note.save(using=target)
    if note.rows != total:
        raise SourceChanged(note.table, copied=note.rows, now=total)
    return Copied(note.table, rows=total, now=total - before)


def _write(model: Model, target: str, page: list[rows.Row], note: CopiedTable) -> None:
    try:
        with transaction.atomic(using=target):
            writing.insert(model, target, page)
            note.save(using=target)
    except (DataError, IntegrityError, ProgrammingError) as error:
        row, reason = _refused(model, target, page, error)
        key = row[tables.fields(model).index(model._meta.pk)]
        raise RowRefused(table=model._meta.db_table, key=key, problem=str(reason)) from error


def _refused(
    model: Model, target: str, page: list[rows.Row], error: DatabaseError
) -> tuple[rows.Row, DatabaseError]:
    """Return the first row of a refused page that is refused by itself, and its error; writes nothing."""
    while len(page) > 1:
        middle = len(page) // 2
        try:
            with transaction.atomic(using=target):
                writing.insert(model, target, page[:middle])
                transaction.set_rollback(True, using=target)
            page = page[middle:]
        except (DataError, IntegrityError, ProgrammingError) as half_error:
            page, error = page[:middle], half_error
    return page[0], error


def _check_source_unchanged(source: str, notes: dict[str, CopiedTable]) -> None:
    """Raise SourceChanged where the number of rows has changed; verify_transfer compares the values."""
    for model in tables.in_order():
        note = notes[model._meta.db_table]
        if note.done:
            now = model._base_manager.using(source).count()
            if now != note.rows:
                raise SourceChanged(note.table, copied=note.rows, now=now)


def _rebuild(target: str) -> None:
    """Rebuild tables without a model that are derived from others, by each app's `rebuild_derived`."""
    for config in apps.get_app_configs():
        rebuild: Any = getattr(config, "rebuild_derived", None)
        if rebuild is not None:
            with named.as_default(target):
                rebuild(using=target)
