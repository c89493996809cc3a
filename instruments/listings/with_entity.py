"""Instruments whose issuer has GLEIF's record here, or has none: one of the two is rare, but which?"""

from typing import cast

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Exists, OuterRef

from instruments.listings import search
from instruments.models import InstrumentQuerySet, LegalEntity
from marketdata.common.unchanged import remember

# So many issuers are looked up in the index of codes; where there are more, their instruments are not rare.
_MOST_ISSUERS = 1_000
_HAS_ENTITY = f"EXISTS (SELECT 1 FROM {LegalEntity._meta.db_table} e WHERE e.lei = code)"


def filter_by_entity(instruments: InstrumentQuerySet, *, has_entity: bool) -> InstrumentQuerySet:
    """Return the instruments for whose published LEI the record of GLEIF has been loaded, or has not."""
    condition = Exists(LegalEntity.objects.filter(lei=OuterRef("issuer_lei")).order_by())
    matching = instruments.filter(condition if has_entity else ~condition)
    if connections[instruments.db].vendor != "sqlite":
        return matching
    issuers = _find_issuers(instruments.db, has_entity=has_entity)
    if len(issuers) > _MOST_ISSUERS:
        return matching
    return cast(InstrumentQuerySet, search.coded(matching, "issuer", issuers))


def _find_issuers(database: str, *, has_entity: bool) -> list[str]:
    """Return the published LEIs with or without a record, one more than are looked up if there are more."""
    if database != DEFAULT_DB_ALIAS:
        return _read_issuers(database, has_entity=has_entity)
    key = "issuers with a record" if has_entity else "issuers without a record"
    return remember(key, lambda: _read_issuers(database, has_entity=has_entity))


def _read_issuers(database: str, *, has_entity: bool) -> list[str]:
    condition = _HAS_ENTITY if has_entity else f"NOT {_HAS_ENTITY}"
    return search.read_codes(database, "issuer", condition=condition, limit=_MOST_ISSUERS + 1)
