"""Questions about legal entities: one by its LEI, its successors, and its instruments."""

import dataclasses
from typing import Any

from instruments import lei as check_digits
from instruments.corrected_records import correct
from instruments.entities.search import is_lei
from instruments.models import EntitySuccessor, Instrument, InstrumentQuerySet, LegalEntity
from instruments.served_values import serve_name
from marketdata.common.errors import InvalidQuery, NotInDatabase

# Successors of successors that are followed.
_MOST_SUCCESSORS = 20


@dataclasses.dataclass(frozen=True)
class Successor:
    """An entity that another one led to; `entity` is None where no loaded record has its LEI."""

    lei: str | None
    name: str | None
    predecessor_lei: str  # the entity that names it
    entity: LegalEntity | None


def check_lei(text: str) -> str:
    """Return an LEI in upper case. Raises InvalidQuery for one with a wrong form or wrong check digits."""
    lei = text.strip().upper()
    if not is_lei(lei):
        raise InvalidQuery(
            "lei", f"{lei!r}: an LEI has 18 letters and digits, and two check digits."
        )
    if not check_digits.is_valid(lei):
        raise InvalidQuery("lei", f"{lei!r}: the check digits are wrong.")
    return lei


def get_entity(text: str, *, with_corrections: bool = True) -> LegalEntity:
    """Return the entity of an LEI, in upper or lower case, with all parts of its record.

    Raises InvalidQuery for a malformed LEI, NotInDatabase for one that no loaded record has.
    """
    lei = check_lei(text)
    entity: LegalEntity | None = LegalEntity.objects.complete().filter(lei=lei).first()
    if entity is None:
        raise NotInDatabase(f"No loaded file of GLEIF has a record of the LEI {lei}.")
    if with_corrections:
        correct([entity])
    return entity


def read_successors(entity: LegalEntity, *, with_corrections: bool = True) -> list[Successor]:
    """Return the successors of an entity, and theirs in turn, nearest first; each LEI once.

    One query for each step, and 20 successors at most. Successors may name each other.
    """
    successors: list[Successor] = []
    visited: set[str | None] = {entity.lei}
    leis: list[Any] = [entity.lei]
    while leis and len(successors) < _MOST_SUCCESSORS:
        rows = EntitySuccessor.objects.filter(entity_id__in=leis).order_by("pk")[:_MOST_SUCCESSORS]
        named = [row for row in rows if row.successor_lei not in visited]
        leis = list(dict.fromkeys(row.successor_lei for row in named if row.successor_lei))
        known = LegalEntity.objects.annotate(
            served_name=serve_name(with_corrections=with_corrections)
        )
        entities: dict[str, Any] = {row.lei: row for row in known.filter(lei__in=leis)}
        for row in named:
            if row.successor_lei in visited:
                continue
            if row.successor_lei:
                visited.add(row.successor_lei)
            successor = entities.get(row.successor_lei or "")
            name = successor.served_name if successor else row.successor_name
            successors.append(Successor(row.successor_lei, name, row.entity_id, successor))
    return successors[:_MOST_SUCCESSORS]


def read_successors_of_ended(entity: LegalEntity | None) -> list[Successor]:
    """Return the successors of an entity that is not active, or whose registration is not in force.

    None are read for others, so that an entity in good standing costs no query.
    """
    is_in_force = entity is None or (
        entity.entity_status == "ACTIVE" and entity.registration_status == "ISSUED"
    )
    return [] if entity is None or is_in_force else read_successors(entity)


def read_instruments(entity: LegalEntity) -> InstrumentQuerySet:
    """Return the instruments whose published issuer (RTS 23 field 5) is the entity."""
    return Instrument.objects.issued_by(entity.lei)
