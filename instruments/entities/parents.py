"""The parents that an entity reports, or the reasons why it reports none: what a card of an issuer shows."""

import datetime as dt
from typing import Any

from instruments.entities.sources import Sourced
from instruments.models import (
    EntityRelationship,
    LegalEntity,
    RelationshipType,
    ReportingException,
)
from instruments.served_values import serve_name

_PARENTS: dict[str, str] = {
    RelationshipType.DIRECT: "direct parent",
    RelationshipType.ULTIMATE: "ultimate parent",
}


def read_parents(lei: str, day: dt.date) -> tuple[list[dict[str, Any]], list[Sourced]]:
    """Return the parents of an entity on a day, or the reasons why none is reported, and their records.

    Each has `relation`, `lei`, `legal_name` and `reason`. Three queries.
    """
    parents = list(
        EntityRelationship.objects.valid(day)
        .filter(start_lei=lei, type__in=list(_PARENTS))
        .select_related("source_file")
    )
    exceptions = list(ReportingException.objects.filter(lei=lei).select_related("source_file"))
    entities = LegalEntity.objects.filter(lei__in=[row.end_lei for row in parents])
    names = dict(entities.values_list("lei", serve_name()))
    rows = [
        {
            "relation": _PARENTS[row.type],
            "lei": row.end_lei,
            "legal_name": names.get(row.end_lei),
            "reason": None,
        }
        for row in parents
    ] + [
        {"relation": row.category, "lei": None, "legal_name": None, "reason": row.reason}
        for row in exceptions
    ]
    return rows, [*parents, *exceptions]
