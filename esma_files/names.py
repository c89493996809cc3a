"""ESMA's file names (ESMA65-8-5014, FIRDS and FITRS file naming).

FULINS_<CFI category>_<YYYYMMDD>_<part>of<parts>.zip    full, weekly, active records only
DLTINS_<YYYYMMDD>_<part>of<parts>.zip                 delta, daily
FULCAN_<YYYYMMDD>_<part>of<parts>.zip                 cancelled records, daily
INVINS_<YYYYMMDD>_<part>of<parts>.zip                 invalid records
FULECR_<YYYYMMDD>_<category>_<part>of<parts>.zip        FITRS, and DLTECR, FULNCR, DLTNCR
DVCRES_<YYYYMMDD>[_<more>].zip                        volume cap results
"""

import dataclasses
import datetime as dt
import enum
import re

from esma_files.errors import BadFileName


class Kind(enum.StrEnum):
    """What a file holds, by the first part of its name."""

    FULINS = "FULINS"
    DLTINS = "DLTINS"
    FULCAN = "FULCAN"
    INVINS = "INVINS"
    FULECR = "FULECR"
    DLTECR = "DLTECR"
    FULNCR = "FULNCR"
    DLTNCR = "DLTNCR"
    DVCRES = "DVCRES"

    @property
    def is_delta(self) -> bool:
        """Whether it holds the changes of a day; a full file holds a state."""
        return self in (Kind.DLTINS, Kind.FULCAN, Kind.DLTECR, Kind.DLTNCR)


# What the parts and revisions of a set leave of a `sequence` divided by this: its day and kind.
PARTS = 100_000
# Of one day, a full file comes after the delta: it is the register's state at the end of the day.
_PLACE_IN_DAY = {Kind.DLTINS: 1, Kind.FULCAN: 2, Kind.FULINS: 3}
_PLACE_IN_DAY |= {Kind.DLTECR: 1, Kind.DLTNCR: 1, Kind.FULECR: 3, Kind.FULNCR: 3}
_PATTERN = re.compile(
    r"(?P<kind>[A-Z]{6})"
    r"(?:_(?P<category>[A-Z]{1,4}))?_(?P<day>[0-9]{8})(?:_(?P<category_after>[A-Z]{1,4}))?"
    r"_(?P<part>[0-9]{1,3})of(?P<parts>[0-9]{1,3})"
)
_VOLUME_CAP = re.compile(r"(?P<kind>DVCRES)_(?P<day>[0-9]{8})(?:_[A-Za-z0-9]{1,20}){0,5}")


@dataclasses.dataclass(frozen=True, order=True)
class FileName:
    """One of ESMA's names, taken apart. Compares in publication order."""

    published_on: dt.date
    place_in_day: int
    kind: Kind
    category: str  # CFI category; "" in deltas
    part: int
    parts: int
    stem: str

    @classmethod
    def parse(cls, name: str) -> "FileName":
        """Take `name` apart (with or without `.zip`); raises BadFileName."""
        stem = name.removesuffix(".zip").removesuffix(".xml")
        found = _PATTERN.fullmatch(stem) or _VOLUME_CAP.fullmatch(stem)
        if found is None or found["kind"] not in Kind.__members__:
            raise BadFileName(name, "not one of ESMA's file names, as FULINS_E_20250830_01of02.zip")
        said = {
            "part": "1",
            "parts": "1",
            "category": "",
            "category_after": "",
            **found.groupdict(),
        }
        kind, part, parts = Kind(said["kind"]), int(said["part"]), int(said["parts"])
        try:
            day = dt.date.fromisoformat(said["day"])
        except ValueError:
            raise BadFileName(name, f"{said['day']} is not a day") from None
        if not 1 <= part <= parts:
            raise BadFileName(name, f"part {part} of {parts} cannot be")
        category = said["category"] or said["category_after"] or ""
        return cls(day, _PLACE_IN_DAY.get(kind, 9), kind, category, part, parts, stem)

    def sequence(self, revision: int = 0) -> int:
        """The place in publication order, as one number: YYYYMMDD, place, part, revision."""
        day = int(self.published_on.strftime("%Y%m%d"))
        return ((day * 10 + self.place_in_day) * 1000 + self.part) * 100 + min(revision, 99)

    def same_message(self, other: "FileName") -> bool:
        """Whether `other` is the same publication, perhaps another part of it."""
        mine = (self.kind, self.published_on, self.category)
        return mine == (other.kind, other.published_on, other.category)
