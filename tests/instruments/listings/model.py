"""ESMA's rules in the plainest Python: what the tables must say for a set of files."""

import dataclasses
import datetime as dt
import itertools
from collections.abc import Iterable
from typing import Any

from instruments.models import Listing, ListingVersion
from tests import firds

STATUS = {"TermntdRcrd": "terminated", "CancRcrd": "cancelled", "CxlData": "cancelled"}


@dataclasses.dataclass(frozen=True)
class Said:
    """One record of a made file."""

    tag: str
    isin: str
    mic: str
    name: str
    period: str | None
    cfi: str = "ESVUFR"
    authority: str = "SE"  # "" where it says none

    @property
    def is_bare(self) -> bool:
        """Whether it is a cancellation with the key alone."""
        return self.tag == "CancRcrd" or (self.tag == "CxlData" and not self.name)

    def xml(self) -> str:
        if self.is_bare:
            return firds.cancellation(self.isin, self.mic, self.tag)
        return firds.record(
            self.tag,
            self.isin,
            self.mic,
            name=self.name,
            period=self.period,
            cfi=self.cfi,
            authority=self.authority,
        )


@dataclasses.dataclass(frozen=True)
class MadeFile:
    """A made file. Of a day, the delta comes first, then the list of cancellations, then the full."""

    name: str
    records: tuple[Said, ...]

    @property
    def day(self) -> str:
        digits = self.name.rsplit("_", 2)[-2]
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"

    @property
    def order(self) -> tuple[str, int]:
        return self.day, ["DLTINS", "FULCAN", "FULINS"].index(self.name[:6])

    def xml(self) -> bytes:
        return firds.message(self.name, *(said.xml() for said in self.records))


State = tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]


@dataclasses.dataclass(frozen=True)
class _Shown:
    """A record as the tables show it."""

    status: str
    valid_from: dt.date
    name: str | None
    period: str | None
    file: str
    letter: str  # of the CFI code

    @property
    def is_cancellation(self) -> bool:
        return self.status == "cancelled"

    @property
    def is_listed(self) -> bool:
        return self.file.startswith("FULCAN")

    def says_the_same(self, other: "_Shown") -> bool:
        """A list of cancellations says nothing of the day."""
        mine = (self.status, self.name, self.period)
        same_day = self.is_listed or self.valid_from == other.valid_from
        return mine == (other.status, other.name, other.period) and same_day


def _shown(file: MadeFile, said: Said) -> _Shown:
    name, period = (None, None) if said.is_bare else (said.name, said.period)
    valid_from = dt.date.fromisoformat(period or file.day)
    return _Shown(STATUS.get(said.tag, "active"), valid_from, name, period, file.name, said.cfi[0])


def _add(timeline: list[_Shown], new: _Shown) -> None:
    """Unless it has been said; what a list repeats, before the cancellation that it repeats."""
    comparable = timeline if new.is_listed else [old for old in timeline if not old.is_listed]
    if any(new.says_the_same(old) for old in comparable):
        return
    place = len(timeline)
    if new.is_listed:
        cancellations = [n for n, old in enumerate(timeline) if old.is_cancellation]
        said_once = [n for n in cancellations if not timeline[n].is_listed]
        place = max(said_once or cancellations, default=place)
    timeline.insert(place, new)


def expected(files: Iterable[MadeFile]) -> State:
    """Listings and versions: of each key the distinct records, in the order first published."""
    timelines: dict[tuple[str, str], list[_Shown]] = {}
    by_order = sorted(set(files), key=lambda file: (file.order, file.name))
    for file in by_order:
        for said in file.records:
            timeline = timelines.setdefault((said.isin, said.mic), [])
            _add(timeline, _shown(file, said))
    listings, versions = set(), set()
    for key, timeline in timelines.items():
        shown_in_order = [
            (shown.status, shown.valid_from, shown.name, shown.file) for shown in timeline
        ]
        dropped_by = _dropped_by(key, timeline[-1], by_order)
        listings.add((*key, *_mark(shown_in_order[-1], dropped_by), dropped_by))
        for version, following in itertools.pairwise(shown_in_order):
            versions.add((*key, *version, following[1] - dt.timedelta(days=1)))
    return listings, versions


def _mark(shown: tuple[Any, ...], dropped_by: str | None) -> tuple[Any, ...]:
    return ("dropped", *shown[1:]) if dropped_by else shown


def _dropped_by(key: tuple[str, str], last: _Shown, files: list[MadeFile]) -> str | None:
    """The first complete full set after the last word that an active listing is there."""
    if last.status != "active" or last.letter != "E":  # the made sets are of this category
        return None
    sets: dict[str, list[MadeFile]] = {}
    for file in files:
        if file.name.startswith("FULINS"):
            sets.setdefault(file.day, []).append(file)
    there = next(file.order for file in files if file.name == last.file)
    for of in sets.values():
        if any((said.isin, said.mic) == key for file in of for said in file.records):
            there = max(there, of[0].order)
    whole = [of for of in sets.values() if len(of) == int(of[0].name[-2:])]
    after = [of for of in whole if of[0].order > there]
    return after[0][-1].name if after else None


def found(register: str = "ESMA") -> State:
    """The same, from the tables."""
    columns = ("isin", "mic", "status", "valid_from", "full_name", "source_file__name")
    listings = [
        (*row[:-2], row[-2].removesuffix(".zip"), row[-1] and row[-1].removesuffix(".zip"))
        for row in Listing.objects.filter(register=register).values_list(
            *columns, "dropped_by__name"
        )
    ]
    versions = [
        (*row[:-2], row[-2].removesuffix(".zip"), row[-1])
        for row in ListingVersion.objects.filter(register=register).values_list(
            *columns, "valid_to"
        )
    ]
    assert len(set(listings)) == len(listings)
    assert len(set(versions)) == len(versions)
    return set(listings), set(versions)
