"""Trees of entities: who consolidates an entity, and which entities it consolidates, by level 2 data.

Each step of a tree is one query for all entities of a level. Relationships may form cycles; an entity is in a
tree once. Trees are cut after a number of levels and of entities.
"""

import dataclasses
import datetime as dt
from collections.abc import Collection, Iterable, Iterator

from instruments.entities.questions import check_lei
from instruments.models import (
    EntityRelationship,
    Instrument,
    InstrumentQuerySet,
    LegalEntity,
    RelationshipType,
    ReportingException,
)
from instruments.served_values import serve_name
from marketdata.common.batches import in_batches
from marketdata.common.errors import NotInDatabase

_MOST_LEVELS = 20
MOST_ENTITIES = 1_000


@dataclasses.dataclass(frozen=True)
class Node:
    """An entity of a tree. `level` is the number of steps from the root of the tree.

    `related_lei` is the entity one step nearer to the root, which the relationship is with.
    """

    lei: str
    level: int
    related_lei: str
    relationship: EntityRelationship
    legal_name: str | None  # None where no loaded record has the LEI


@dataclasses.dataclass(frozen=True)
class Hierarchy:
    """The entities above and below an entity, on a day, or now.

    `parents` are the direct parent, its direct parent, and so on; `ultimate_parents` is published on its own.
    `others` are relationships of other types, as of a fund with its manager. `exceptions` are the reasons why
    no parent is reported. `has_more` if entities below were left out.
    """

    lei: str
    legal_name: str | None
    on: dt.date | None
    parents: list[Node]
    ultimate_parents: list[Node]
    children: list[Node]
    others: list[Node]
    exceptions: list[ReportingException]
    has_more: bool


def read_hierarchy(
    text: str, *, on: dt.date | None = None, with_corrections: bool = True
) -> Hierarchy:
    """Return the tree of an entity by its LEI, as of a day, or of now.

    Raises InvalidQuery for a malformed LEI, NotInDatabase for one that no loaded file has.
    """
    lei = check_lei(text)
    relationships = list(EntityRelationship.objects.valid(on).filter(start_lei=lei))
    exceptions = list(ReportingException.objects.filter(lei=lei))
    parents = _follow_up(lei, on)
    below, has_more = _follow_down(lei, on)
    of_type = {type_: _nodes(lei, relationships, type_) for type_ in RelationshipType}
    others = [
        (row.end_lei, 1, lei, row)
        for row in relationships
        if row.type not in (RelationshipType.DIRECT, RelationshipType.ULTIMATE)
    ]
    ultimate = of_type[RelationshipType.ULTIMATE]
    leis = {lei, *(step[0] for step in (*parents, *below, *others, *ultimate))}
    names = read_names(leis, with_corrections=with_corrections)
    if lei not in names and not (exceptions or _has_relationships(lei)):
        raise NotInDatabase(f"No loaded file of GLEIF has the LEI {lei}.")

    def named(steps: Iterable[_Step]) -> list[Node]:
        return [Node(*step, legal_name=names.get(step[0])) for step in steps]

    return Hierarchy(
        lei=lei,
        legal_name=names.get(lei),
        on=on,
        parents=named(parents),
        ultimate_parents=named(ultimate),
        children=named(below),
        others=named(others),
        exceptions=exceptions,
        has_more=has_more,
    )


def read_group(text: str, *, on: dt.date | None = None) -> list[str]:
    """Return the LEI of an entity and those of all entities below it, at most 1,000, nearest first.

    Raises InvalidQuery for a malformed LEI.
    """
    lei = check_lei(text)
    below, _ = _follow_down(lei, on)
    return [lei, *(step[0] for step in below)]


def read_group_instruments(lei: str) -> InstrumentQuerySet:
    """Return the instruments whose published issuer is an entity, or one below it."""
    return Instrument.objects.issued_by(*read_group(lei))


# The LEI, the level, the LEI that led to it, and the relationship.
_Step = tuple[str, int, str, EntityRelationship]


def _nodes(lei: str, rows: Iterable[EntityRelationship], type_: str) -> list[_Step]:
    return [(row.end_lei, 1, lei, row) for row in rows if row.type == type_]


def _follow_up(lei: str, on: dt.date | None) -> list[_Step]:
    """Return the direct parents, one above the other."""
    steps: list[_Step] = []
    visited, leis = {lei}, [lei]
    for level in range(1, _MOST_LEVELS + 1):
        rows = EntityRelationship.objects.valid(on).filter(
            start_lei__in=leis, type=RelationshipType.DIRECT
        )
        new = [row for row in rows if row.end_lei not in visited]
        if not new:
            break
        steps += [(row.end_lei, level, row.start_lei, row) for row in new]
        leis = [row.end_lei for row in new]
        visited |= set(leis)
    return steps


def _follow_down(lei: str, on: dt.date | None) -> tuple[list[_Step], bool]:
    """Return the entities below, level by level, and whether some were left out.

    An entity that names its ultimate parent and no direct one that leads there is right below that.
    """
    steps: list[_Step] = []
    visited, leis = {lei}, [lei]
    for level in range(1, _MOST_LEVELS + 1):
        rows = list(_read_below(leis, RelationshipType.DIRECT, on))
        leis = _add(steps, rows, level, visited)
        if len(steps) > MOST_ENTITIES or not leis:
            break
    if len(steps) <= MOST_ENTITIES:
        _add(steps, _read_below([lei], RelationshipType.ULTIMATE, on), 1, visited)
    return steps[:MOST_ENTITIES], len(steps) > MOST_ENTITIES


def _add(
    steps: list[_Step], rows: Iterable[EntityRelationship], level: int, visited: set[str]
) -> list[str]:
    new = []
    for row in rows:
        if row.start_lei not in visited and len(steps) <= MOST_ENTITIES:
            visited.add(row.start_lei)
            steps.append((row.start_lei, level, row.end_lei, row))
            new.append(row.start_lei)
    return new


def _read_below(
    leis: list[str], type_: RelationshipType, on: dt.date | None
) -> Iterator[EntityRelationship]:
    valid = EntityRelationship.objects.valid(on).filter(type=type_)
    for batch in in_batches(leis):
        rows = valid.filter(end_lei__in=batch)
        yield from rows.order_by("end_lei", "start_lei")[: MOST_ENTITIES + 1]


def _has_relationships(lei: str) -> bool:
    rows = EntityRelationship.objects.order_by()
    return rows.filter(start_lei=lei).exists() or rows.filter(end_lei=lei).exists()


def read_names(leis: Collection[str], *, with_corrections: bool = True) -> dict[str, str]:
    """Return the legal name of each LEI that a loaded record has."""
    names: dict[str, str] = {}
    served_name = serve_name(with_corrections=with_corrections)
    for batch in in_batches(sorted(leis)):
        rows = LegalEntity.objects.filter(lei__in=batch)
        names.update(rows.order_by().values_list("lei", served_name))
    return names
