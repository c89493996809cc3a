"""A staged file in slices, each to be merged in a transaction of its own.

So others need not wait long to write, and what a merge has written and not copied into the database yet
stays small, however long the file is. ISINs have nothing to do with each other, and what has been merged
before changes nothing when it is merged again: killed between two slices, the next load does the rest.
"""

import dataclasses

from django.db.backends.utils import CursorWrapper


@dataclasses.dataclass(frozen=True)
class Slice:
    """The records of some ISINs: of those above `after`, up to `last`."""

    after: str
    last: str


_LOWEST, _HIGHEST = "", "~"  # below and above any ISIN
WHOLE = Slice(_LOWEST, _HIGHEST)


def slices_of(cursor: CursorWrapper, *, records: int) -> list[Slice]:
    """The staged file in slices of so many records, or more where they are of one ISIN, in the order of
    ISINs; at least one.

    Tables and their indexes are in this order too, or in runs of it: no page of theirs is written
    for many slices.
    """
    slices, after = [], _LOWEST
    while last := _last_of(cursor, after, records):
        slices.append(Slice(after, last))
        after = last
    return slices or [WHOLE]


def _last_of(cursor: CursorWrapper, after: str, records: int) -> str | None:
    """The ISIN of the last of the next so many records; None where there are none."""
    following = f"(SELECT isin FROM stage.record WHERE isin > %s ORDER BY isin LIMIT {records})"
    cursor.execute(f"SELECT max(isin) FROM {following} AS following", [after])
    (last,) = cursor.fetchone()
    return None if last is None else str(last)
