"""Names of files, taken apart by the patterns of `kinds.py`.

FULINS_<category>_<YYYYMMDD>_<part>of<parts>           FIRDS, full, by CFI category
DLTINS_<YYYYMMDD>_<part>of<parts>                      FIRDS, delta; FULCAN, INVINS
FULECR_<YYYYMMDD>[_<category>]_<part>of<parts>         FITRS; DLTECR, FULNCR, DLTNCR
FULNCR_<YYYYMMDD>_NYAR_<asset class>_<part>of<parts>   FITRS results by sub-class of a year; or SISC
DVCRES_<YYYYMMDD>[_<more>]                             volume cap results
<YYYYMMDD>-<HHMM>-gleif-goldencopy-lei2-<content>      GLEIF: golden-copy, or a delta, as last-day; rr, repex
isin-lei-<YYYYMMDD>T<HHMMSS>                           GLEIF: the LEI of the issuer of each ISIN
"""

import dataclasses
import datetime as dt
import functools
import re

from esma_files.errors import BadFileName
from esma_files.kinds import KINDS, FileKind

# The parts and revisions of a set have the same `sequence // PARTS`: its day and its place in the day.
PARTS = 100_000
# The revisions of a part have the same `sequence // REVISIONS`.
REVISIONS = 100
_ENDINGS = (".zip", ".xml")
# The part of the MD5 that `stored_as` (models/file.py) puts into the name of a stored copy.
_PART_OF_MD5 = re.compile(r"\.[0-9a-f]{8}$")

_NAMED_OTHERWISE = [kind for kind in KINDS.values() if kind.own_name]


def _kind_of(stem: str) -> FileKind | None:
    by_code = KINDS.get(stem.partition("_")[0])
    if by_code is not None:
        return by_code
    return next((kind for kind in _NAMED_OTHERWISE if kind.pattern.fullmatch(stem)), None)


@functools.total_ordering
@dataclasses.dataclass(frozen=True)
class FileName:
    """The name of a file, taken apart. Compares in publication order."""

    kind: FileKind
    published_on: dt.date
    category: str  # CFI category of a full file, as E; "" for all
    result_group: (
        str  # of sub-class results, as NYAR_EQD; period of a delta of GLEIF; "" for others
    )
    part: int
    parts: int
    stem: str

    @classmethod
    def parse(cls, name: str) -> "FileName":
        """Take `name` apart, with or without its ending, or the name of a stored copy. Raises BadFileName.

        A stored copy can so be loaded again into a new database.
        """
        stem = name
        for ending in _ENDINGS:
            stem = stem.removesuffix(ending)
        stem = _PART_OF_MD5.sub("", stem)
        kind = _kind_of(stem)
        match = kind.pattern.fullmatch(stem) if kind else None
        if kind is None or match is None:
            example = "FULINS_E_20250830_01of02.zip"
            raise BadFileName(name, f"this is not a published file's name, such as {example}")
        groups = {name: value or "" for name, value in match.groupdict().items()}
        part, parts = int(groups.get("part", 1)), int(groups.get("parts", 1))
        try:
            day = dt.date.fromisoformat(groups["day"])
        except ValueError:
            raise BadFileName(name, f"{groups['day']} is not a date") from None
        if not 1 <= part <= parts:
            raise BadFileName(name, f"there is no part {part} of {parts}")
        return cls(
            kind=kind,
            published_on=day,
            category=groups.get("category", ""),
            result_group=groups.get("result_group", ""),
            part=part,
            parts=parts,
            stem=stem,
        )

    @property
    def set_label(self) -> str:
        """Return the label that distinguishes the sets of a kind published on one day."""
        return self.category or self.result_group

    def sequence(self, revision: int = 0) -> int:
        """Return the place in publication order as one number: day, place in the day, part, revision."""
        day = int(self.published_on.strftime("%Y%m%d"))
        return ((day * 10 + self.kind.place_in_day) * 1000 + self.part) * REVISIONS + min(
            revision, REVISIONS - 1
        )

    def is_same_part(self, other: "FileName") -> bool:
        """Return True if both name the same part of the same publication."""
        return self._identity == other._identity

    @property
    def _identity(self) -> tuple[str, dt.date, str, int, int]:
        return self.kind.code, self.published_on, self.set_label, self.part, self.parts

    def __lt__(self, other: "FileName") -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[dt.date, int, str, str, int, int, str]:
        place = (self.published_on, self.kind.place_in_day, self.kind.code)
        return (*place, self.set_label, self.part, self.parts, self.stem)
