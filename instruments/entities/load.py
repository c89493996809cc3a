"""The functions that merge GLEIF's files, by the codes of their kinds; and the index of names."""

from django.db import DEFAULT_DB_ALIAS, connections

from instruments.entities import search
from instruments.entities.load_bic_lei import merge as BICLEI  # noqa: N812
from instruments.entities.load_entities import ENTITY, NAME
from instruments.entities.load_entities import merge as LEI2  # noqa: N812  # a code of `kinds.py`
from instruments.entities.load_isin_lei import merge as ISINLEI  # noqa: N812
from instruments.entities.load_level_2 import merge_exceptions as REPEX  # noqa: N812
from instruments.entities.load_level_2 import merge_relationships as RR  # noqa: N812

__all__ = ["BICLEI", "ISINLEI", "LEI2", "REPEX", "RR", "rebuild_index"]


def rebuild_index(using: str = DEFAULT_DB_ALIAS) -> None:
    """Index all names again, after the tables were filled in another way than by a load."""
    if connections[using].vendor != "sqlite":
        return
    with connections[using].cursor() as cursor:
        cursor.execute(f"INSERT INTO {search.INDEX} ({search.INDEX}) VALUES ('delete-all')")
        cursor.execute(
            f"INSERT INTO {search.INDEX} (rowid, document)"
            f" SELECT e.id, {search.document('e', NAME)} FROM {ENTITY} e ORDER BY e.id"
        )
