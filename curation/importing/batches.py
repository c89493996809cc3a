"""Import a table in two steps: try it and show what would change, then commit it.

Rows are independent: an invalid one is left out and reported, and the others are imported.
"""

import datetime as dt
from typing import Any

import tablib
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from audit import trail
from curation.importing import files
from curation.importing.resources import TABLES, Table
from curation.models import ImportBatch
from marketdata.common.errors import InvalidQuery, NotPermitted, WrongState
from marketdata.common.suggestions import describe_unknown

_MAX_EXPORTED = 50_000  # rows


def get_table(kind: str) -> Table:
    """Return a table by its kind. Raises InvalidQuery."""
    if kind not in TABLES:
        raise InvalidQuery("kind", f"{kind!r} is not a table: {', '.join(TABLES)}.")
    return TABLES[kind]


def select(user: Any) -> QuerySet[ImportBatch]:
    """Return the imports that a user may see and commit; one of watch lists is its owner's alone."""
    kinds = [kind for kind, table in TABLES.items() if user.has_perm(table.to_import)]
    others = Q(kind="lists") & ~Q(created_by=user.get_username())
    return ImportBatch.objects.filter(~others, kind__in=kinds)


def may_see(batch: ImportBatch, user: Any) -> bool:
    return select(user).filter(pk=batch.pk).exists()


def _check_permission(kind: str, user: Any) -> None:
    """Raise NotPermitted if a user may not import the table; a command has no user."""
    if user is not None and not user.has_perm(TABLES[kind].to_import):
        raise NotPermitted(f"Your roles do not permit you to import {TABLES[kind].title.lower()}.")


def try_import(
    kind: str, content: bytes, *, name: str, by: str, request: Any = None, user: Any = None
) -> ImportBatch:
    """Read a file and keep it with the fate that each row would have; nothing else is changed.

    Of a user's imports the newest KEPT_OF_USER stay, so that nobody fills the disk.

    Raises InvalidQuery, NotPermitted.
    """
    table = get_table(kind)
    _check_permission(kind, user)
    rows = files.read_table(content, name=name)
    resource, columns = table.resource(), list(rows[0])
    if unknown := resource.get_unknown_columns(columns):
        raise InvalidQuery("file", describe_unknown(unknown[0], resource.columns, "column"))
    if missing := resource.get_missing_columns(columns):
        raise InvalidQuery("file", f"The column {missing[0]!r} is missing.")
    batch = ImportBatch(kind=kind, file_name=name[:200], rows=rows, created_by=by)
    batch.report = _run(batch, by=by, request=request, is_dry_run=True)
    batch.save()
    of_user = ImportBatch.objects.filter(created_by=by)
    for oldest in of_user.values_list("pk", flat=True)[ImportBatch.KEPT_OF_USER - 1 :][:1]:
        of_user.filter(pk__lt=oldest).delete()
    return batch


@transaction.atomic
def commit(batch: ImportBatch, *, by: str, request: Any = None, user: Any = None) -> None:
    """Import the valid rows of a batch that was tried, once. Raises NotPermitted, WrongState."""
    if user is not None and not may_see(batch, user):
        raise NotPermitted("Your roles do not permit you to commit this import.")
    now = timezone.now()
    waiting = ImportBatch.objects.filter(pk=batch.pk, committed_at=None)
    if not waiting.update(committed_at=now, committed_by=by):
        raise WrongState(f"Import {batch.pk} has been committed already.")
    batch.committed_at, batch.committed_by = now, by
    batch.report = _run(batch, by=by, request=request, is_dry_run=False)
    batch.save(update_fields=["report"])
    trail.record(
        "curation.imported",
        request=request,
        actor=by,
        about=batch,
        new={"kind": batch.kind, "file": batch.file_name, **batch.counts},
    )


def delete_old(now: dt.datetime) -> int:
    """Delete the imports that are older than IMPORTS_KEEP_DAYS, committed or not; return their number."""
    oldest = now - dt.timedelta(days=settings.IMPORTS_KEEP_DAYS)
    deleted, _ = ImportBatch.objects.filter(created_at__lt=oldest).delete()
    return deleted


def _run(batch: ImportBatch, *, by: str, request: Any, is_dry_run: bool) -> list[dict[str, Any]]:
    """Return the fate of each row: `outcome` (new, update, skip, invalid), `changes` and `problems`."""
    resource = TABLES[batch.kind].resource(by=by, request=request)
    columns = list(batch.rows[0])
    table = tablib.Dataset(
        *[[row[name] for name in columns] for row in batch.rows], headers=columns
    )
    result = resource.import_data(table, dry_run=is_dry_run)
    report = []
    for number, (row, outcome) in enumerate(zip(batch.rows, result.rows, strict=True), start=1):
        if outcome.errors:  # a fault of ours, and not of the file
            raise outcome.errors[0].error
        problems: list[str] = []
        changes: dict[str, list[str]] = {}
        if outcome.validation_error is not None:
            problems = _describe_problems(outcome.validation_error)
        elif outcome.import_type != outcome.IMPORT_TYPE_SKIP:
            changes = resource.describe_changes(outcome.original, outcome.instance)
        report.append(
            {
                "row": number,
                "key": " ".join(" ".join(row.get(name, "") for name in resource.key).split()),
                "outcome": outcome.import_type,
                "changes": changes,
                "problems": problems,
            }
        )
    return report


def _describe_problems(error: ValidationError) -> list[str]:
    """Return the problems of a row, each with the name of its column if it is of one."""
    if not hasattr(error, "error_dict"):
        return list(error.messages)
    return [f"{name}: {text}" for name, texts in error.message_dict.items() for text in texts]


def export_table(kind: str, format_: str, *, by: str = "", request: Any = None) -> bytes:
    """Return a table as a file; of the lists, those of the user `by`. Raises InvalidQuery."""
    table = get_table(kind)
    if format_ not in files.FORMATS:
        raise InvalidQuery("file", f"{format_!r} is not a format: {', '.join(files.FORMATS)}.")
    resource = table.resource(by=by)
    rows = resource.export_rows()
    if len(rows[: _MAX_EXPORTED + 1]) > _MAX_EXPORTED:
        raise InvalidQuery("kind", f"More than {_MAX_EXPORTED:,} rows: use the API.")
    exported = resource.export(rows)
    texts = [["" if value is None else str(value) for value in row] for row in exported]
    content = files.write_table([str(name) for name in exported.headers], texts, format_=format_)
    new = {"kind": kind, "file": format_}
    trail.record("curation.exported", request=request, actor=by, new=new)
    return content
