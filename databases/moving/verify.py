"""Compare two databases of any kind row by row, by checksums over values in a canonical form."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import xxhash

from databases import rows, tables
from databases.moving.prepare import fits_release
from databases.moving.transfer import Watcher
from databases.tables import Model

SHOWN = 20  # differing rows of a table that are listed; all are counted


@dataclasses.dataclass(frozen=True)
class Difference:
    """A row that differs, or that only one database has; `description` says which."""

    table: str
    key: Any
    description: str


@dataclasses.dataclass
class Compared:
    """The comparison of one table. The checksums are equal where all rows are."""

    table: str
    source_rows: int = 0
    target_rows: int = 0
    source_checksum: str = ""
    target_checksum: str = ""
    differing: int = 0
    shown: list[Difference] = dataclasses.field(default_factory=list)

    @property
    def same(self) -> bool:
        return not self.differing and self.source_checksum == self.target_checksum

    def note(self, key: Any, description: str) -> None:
        self.differing += 1
        if len(self.shown) < SHOWN:
            self.shown.append(Difference(self.table, key, description))


def verify(source: str, target: str, watcher: Watcher) -> Iterator[Compared]:
    """Compare each table that a transfer copies. Raises SchemasDiffer, and Unreadable.

    Values are not reported, because they may be confidential.
    """
    fits_release(source, "source")
    fits_release(target, "target")
    for model in tables.in_order():
        yield _compare(model, source, target, watcher)


def _compare(model: Model, source: str, target: str, watcher: Watcher) -> Compared:
    """Compare by pages of the source's keys, since databases may sort text differently."""
    compared = Compared(model._meta.db_table)
    source_hash, target_hash = xxhash.xxh3_128(), xxhash.xxh3_128()
    total = model._base_manager.using(source).count()
    compared.target_rows = model._base_manager.using(target).count()
    index = tables.fields(model).index(model._meta.pk)
    missing = 0
    watcher(compared.table, 0, total)
    for page in rows.pages(model, source, rows.comparable(model)):
        target_rows = _by_key(model, target, [row[index] for row in page], index)
        facing = [target_rows.get(row[index]) for row in page]
        text, target_text = repr(page), repr([row for row in facing if row is not None])
        source_hash.update(text.encode())
        target_hash.update(target_text.encode())
        if text != target_text:
            missing += facing.count(None)
            _name(model, page, facing, compared)
        compared.source_rows += len(page)
        watcher(compared.table, compared.source_rows, total)
    if compared.target_rows != compared.source_rows - missing:
        for row in _only_in(model, target, source, index):
            target_hash.update(repr(row).encode())
            compared.note(row[index], "is not in the source")
    compared.source_checksum = source_hash.hexdigest()
    compared.target_checksum = target_hash.hexdigest()
    return compared


def _name(
    model: Model, page: list[rows.Row], facing: list[rows.Row | None], compared: Compared
) -> None:
    """Note the rows of a page that differ, compared as text: True and 1 are equal in Python."""
    index = tables.fields(model).index(model._meta.pk)
    for row, other in zip(page, facing, strict=True):
        if other is None:
            compared.note(row[index], "is missing in the target")
        elif repr(row) != repr(other):
            compared.note(row[index], f"differs in {', '.join(_columns(model, row, other))}")


def _by_key(model: Model, alias: str, keys: list[Any], index: int) -> dict[Any, rows.Row]:
    query = model._base_manager.using(alias).filter(pk__in=keys).order_by()
    return {row[index]: row for row in rows.read(model, alias, query, rows.comparable(model))}


def _only_in(model: Model, alias: str, other: str, index: int) -> Iterator[rows.Row]:
    for page in rows.pages(model, alias, rows.comparable(model)):
        known = _by_key(model, other, [row[index] for row in page], index)
        yield from (row for row in page if row[index] not in known)


def _columns(model: Model, row: rows.Row, other: rows.Row) -> list[str]:
    values = zip(tables.fields(model), row, other, strict=True)
    return [str(field.column) for field, value, other in values if repr(value) != repr(other)]
