"""Compare two databases that were filled apart: what they have of the same files, by natural keys.

Each database numbers its rows itself, so a row is compared by what it says: a surrogate key is left out,
and a reference to a row is replaced by the natural key of that row. Columns that say when and how a
database did its own work are left out, and so are the tables of that work (accounts, runs, audit).
"""

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash
from django.apps import apps
from django.db import models

from databases import rows, tables
from databases.moving.prepare import fits_release
from databases.moving.transfer import Watcher
from databases.moving.verify import Compared
from databases.tables import Model
from marketdata.common.batches import in_batches

Hashes = npt.NDArray[np.uint64]
Columns = dict[str, Any]

# The apps whose tables are filled from files, and their tables that are not.
_APPS = {"instruments", "esma_files"}
_OTHER_TABLES = {
    "esma_files_heartbeat",
    "esma_files_registerhistory",
    "esma_files_run",
    "instruments_changeset",
    "instruments_correction",
    "instruments_coverage",
    "instruments_dataversion",
    "instruments_figirequest",
    "instruments_figure",
}
# Columns of a database's own work, by table: times, states, places in its storage, and its own row numbers.
_OTHER_COLUMNS = {
    "esma_files_esmafile": {
        *("url", "register_id", "listed_at", "original", "kept"),
        *("content", "location", "tier", "size", "stored_md5", "stored_at", "loaded_at"),
        *("state", "state_since", "claimed_by", "attempts", "not_before", "is_released"),
    },
    "instruments_figi": {"fetched_at"},
    "instruments_fullfile": {"listings"},
    "instruments_listing": {"change"},
    "instruments_reconciliation": {"completed_at"},
    "instruments_resultfile": {"results"},
    "instruments_scope": {"set_at", "set_by"},
}


# Columns with a list of the keys of files, as JSON.
_KEYS_OF_FILES = {"published_again"}
_FILE = "esma_files.EsmaFile"


def verify(source: str, target: str, watcher: Watcher) -> Iterator[Compared]:
    """Compare each table that is filled from files. Raises SchemasDiffer, and Unreadable.

    It needs 32 bytes of memory for each row of the largest table, and holds the rows that differ.
    """
    fits_release(source, "source")
    fits_release(target, "target")
    for model in tables.in_order():
        if model._meta.app_label in _APPS and model._meta.db_table not in _OTHER_TABLES:
            yield _compare(model, source, target, watcher)


def _compare(model: Model, source: str, target: str, watcher: Watcher) -> Compared:
    """Compare the sorted hashes of all rows, and read again to name rows only where these differ."""
    compared = Compared(model._meta.db_table)
    total = model._base_manager.using(source).count()
    watcher(compared.table, 0, total)

    def note(done: int) -> None:
        watcher(compared.table, done, total)

    in_source, in_target = _hashes(model, source, note), _hashes(model, target, lambda done: None)
    compared.source_rows, compared.target_rows = len(in_source), len(in_target)
    compared.source_checksum, compared.target_checksum = map(_checksum, (in_source, in_target))
    if not compared.same:
        only_source = _matching(model, source, _surplus(in_source, in_target))
        only_target = _matching(model, target, _surplus(in_target, in_source))
        _name(model, only_source, only_target, compared)
    return compared


def _hashes(model: Model, alias: str, note: Callable[[int], None]) -> Hashes:
    """Return the sorted hashes of all rows."""
    parts, done = [np.empty(0, np.uint64)], 0
    for page in _pages(model, alias):
        parts.append(np.array([_hash(row) for row in page], np.uint64))
        done += len(page)
        note(done)
    return np.sort(np.concatenate(parts))


def _hash(row: Columns) -> int:
    return xxhash.xxh3_64_intdigest(repr(list(row.values())).encode())


def _checksum(hashes: Hashes) -> str:
    return xxhash.xxh3_128_hexdigest(hashes.tobytes())


def _surplus(hashes: Hashes, others: Hashes) -> dict[int, int]:
    """Return the hashes that occur more often than among `others`, and how much more often."""
    values, counts = np.unique(hashes, return_counts=True)
    known, known_counts = np.unique(np.append(others, values), return_counts=True)
    more = counts - (known_counts[np.searchsorted(known, values)] - 1)
    return dict(zip(values[more > 0].tolist(), more[more > 0].tolist(), strict=True))


def _matching(model: Model, alias: str, surplus: dict[int, int]) -> Iterator[Columns]:
    """Yield as many rows with each hash as `surplus` has; it is emptied."""
    for page in _pages(model, alias) if surplus else ():
        for row in page:
            number = _hash(row)
            if surplus.get(number, 0):
                surplus[number] -= 1
                yield row


def _name(
    model: Model, only_source: Iterator[Columns], only_target: Iterator[Columns], compared: Compared
) -> None:
    """Note the rows that differ, and those that only one database has."""
    names = _natural_key(model)
    unmatched: dict[str, list[Columns]] = {}
    for row in only_target:
        unmatched.setdefault(_label(row, names), []).append(row)
    for row in only_source:
        label = _label(row, names)
        if others := unmatched.get(label):
            other = others.pop()
            columns = [name for name in row if repr(row[name]) != repr(other[name])]
            compared.note(label, f"differs in {', '.join(columns)}")
        else:
            compared.note(label, "is missing in the target")
    for label, rows_left in unmatched.items():
        for _ in rows_left:
            compared.note(label, "is not in the source")


def _label(row: Columns, names: Sequence[str]) -> str:
    return " ".join(str(row[name]) for name in names)


def _pages(model: Model, alias: str) -> Iterator[list[Columns]]:
    for page in rows.pages(model, alias, rows.comparable(model)):
        yield _natural_rows(model, alias, page)


def _natural_rows(model: Model, alias: str, page: list[rows.Row]) -> list[Columns]:
    """Return rows by column, without what is a database's own, and with natural keys as references."""
    left_out = _OTHER_COLUMNS.get(model._meta.db_table, set())
    columns: dict[str, Sequence[Any]] = {}
    for field, values in zip(tables.fields(model), zip(*page, strict=True), strict=True):
        if field.name not in left_out and not isinstance(field, models.AutoField):
            columns[field.name] = _natural_values(field, alias, values)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _natural_values(field: rows.Field, alias: str, values: Sequence[Any]) -> Sequence[Any]:
    """Replace surrogate keys of other rows by the natural keys of these."""
    if isinstance(field, models.ForeignKey) and isinstance(
        field.target_field, models.AutoField | models.ForeignKey
    ):
        labels = _labels(field.related_model, alias, set(values) - {None})
        return [None if value is None else labels.get(value) for value in values]
    if field.name in _KEYS_OF_FILES:
        lists = [json.loads(value) if value else [] for value in values]
        labels = _labels(apps.get_model(_FILE), alias, {key for keys in lists for key in keys})
        return [[labels.get(key) for key in keys] for keys in lists]
    return values


def _labels(model: Model, alias: str, keys: set[Any]) -> dict[Any, str]:
    """Return the natural keys of rows as text, by the keys that refer to them."""
    names = _natural_key(model)
    index = tables.fields(model).index(model._meta.pk)
    labels = {}
    for some in in_batches(sorted(keys)):
        query = model._base_manager.using(alias).filter(pk__in=some).order_by()
        page = rows.read(model, alias, query, rows.comparable(model))
        for raw, row in zip(page, _natural_rows(model, alias, page), strict=True):
            labels[raw[index]] = _label(row, names)
    return labels


@functools.cache
def _natural_key(model: Model) -> tuple[str, ...]:
    """Return the columns by which people tell rows apart: unique ones, or those that rows are ordered by.

    Where a model has neither, all columns that are compared.
    """
    compared = [
        field.name
        for field in tables.fields(model)
        if not isinstance(field, models.AutoField)
        and field.name not in _OTHER_COLUMNS.get(model._meta.db_table, ())
    ]
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and constraint.condition is None:
            return tuple(constraint.fields)
    unique = [name for name in compared if model._meta.get_field(name).unique]  # type: ignore[union-attr]
    ordering = [str(name).removeprefix("-") for name in model._meta.ordering or ()]
    return tuple(unique or [name for name in ordering if name in compared] or compared)
