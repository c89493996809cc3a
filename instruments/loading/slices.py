"""A staged file in slices, each to be merged in a transaction of its own.

So others need not wait long to write, and what a merge has written and not copied into the database yet
stays small, however long the file is. ISINs have nothing to do with each other, and what has been merged
before changes nothing when it is merged again: killed between two slices, the next load does the rest.
"""

import dataclasses
import itertools

from django.db.backends.utils import CursorWrapper


@dataclasses.dataclass(frozen=True)
class Slice:
    """The records of some ISINs: from `first`, and before `end`."""

    first: str
    end: str


_SAMPLED = 100  # records of each slice that are looked at, to find where the next begins
_LOWEST, _HIGHEST = "", "~"  # below and above any ISIN
WHOLE = Slice(_LOWEST, _HIGHEST)


def slices_of(cursor: CursorWrapper, *, records: int) -> list[Slice]:
    """The staged file in slices of so many records, more or less, in the order of ISINs.

    Tables and their indexes are in this order too, or in runs of it: no page of theirs is written
    for many slices.
    """
    one_of = max(1, records // _SAMPLED)
    cursor.execute(f"SELECT isin FROM stage.record WHERE position % {one_of} = 0 ORDER BY isin")
    isins = [isin for (isin,) in cursor.fetchall()]
    step = records // one_of
    cuts = [_LOWEST, *dict.fromkeys(isins[step::step]), _HIGHEST]
    return [Slice(first, end) for first, end in itertools.pairwise(cuts)]
