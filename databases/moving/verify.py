"""Compare two databases, row by row, whatever their kinds: by checksums over values in one form."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import xxhash

from databases import rows, tables
from databases.moving.prepare import fits_release
from databases.moving.transfer import Watcher
from databases.tables import Model

SHOWN = 20  # differing rows of a table that are named; all are counted


@dataclasses.dataclass(frozen=True)
class Difference:
    """A row that is not the same; without columns, it is in one database only."""

    table: str
    key: Any
    says: str


@dataclasses.dataclass
class Compared:
    """What was found of one table. The checksums are equal where all rows are."""

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

    def note(self, key: Any, says: str) -> None:
        self.differing += 1
        if len(self.shown) < SHOWN:
            self.shown.append(Difference(self.table, key, says))


def verify(source: str, target: str, watcher: Watcher) -> Iterator[Compared]:
    """Compare each table that a transfer copies. Raises SchemasDiffer, and Unreadable.

    Values are not told: they may be nobody's business.
    """
    fits_release(source, "source")
    fits_release(target, "target")
    for model in tables.in_order():
        yield _compare(model, source, target, watcher)


def _compare(model: Model, source: str, target: str, watcher: Watcher) -> Compared:
    """By pages of the source's keys: how the databases sort text need not be the same."""
    found = Compared(model._meta.db_table)
    ours, theirs = xxhash.xxh3_128(), xxhash.xxh3_128()
    total = model._base_manager.using(source).count()
    found.target_rows = model._base_manager.using(target).count()
    index = tables.fields(model).index(model._meta.pk)
    missing = 0
    watcher(found.table, 0, total)
    for page in rows.pages(model, source, rows.comparable(model)):
        there = _by_key(model, target, [row[index] for row in page], index)
        facing = [there.get(row[index]) for row in page]
        said, other_said = repr(page), repr([row for row in facing if row is not None])
        ours.update(said.encode())
        theirs.update(other_said.encode())
        if said != other_said:
            missing += facing.count(None)
            _name(model, page, facing, found)
        found.source_rows += len(page)
        watcher(found.table, found.source_rows, total)
    if found.target_rows != found.source_rows - missing:
        for row in _only_in(model, target, source, index):
            theirs.update(repr(row).encode())
            found.note(row[index], "is not in the source")
    found.source_checksum, found.target_checksum = ours.hexdigest(), theirs.hexdigest()
    return found


def _name(
    model: Model, page: list[rows.Row], facing: list[rows.Row | None], found: Compared
) -> None:
    """Note the rows of a page that differ. As text: True and 1 are equal to Python."""
    index = tables.fields(model).index(model._meta.pk)
    for row, other in zip(page, facing, strict=True):
        if other is None:
            found.note(row[index], "is missing in the target")
        elif repr(row) != repr(other):
            found.note(row[index], f"differs in {', '.join(_columns(model, row, other))}")


def _by_key(model: Model, alias: str, keys: list[Any], index: int) -> dict[Any, rows.Row]:
    query = model._base_manager.using(alias).filter(pk__in=keys).order_by()
    return {row[index]: row for row in rows.read(model, alias, query, rows.comparable(model))}


def _only_in(model: Model, alias: str, other: str, index: int) -> Iterator[rows.Row]:
    for page in rows.pages(model, alias, rows.comparable(model)):
        there = _by_key(model, other, [row[index] for row in page], index)
        yield from (row for row in page if row[index] not in there)


def _columns(model: Model, row: rows.Row, other: rows.Row) -> list[str]:
    values = zip(tables.fields(model), row, other, strict=True)
    return [str(field.column) for field, one, two in values if repr(one) != repr(two)]
