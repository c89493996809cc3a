"""ESMA's rules in the plainest Python: the rows that the tables must have for a set of files."""

import dataclasses
import datetime as dt
import itertools
from collections.abc import Iterable
from typing import Any

from instruments.models import Listing, ListingVersion
from tests import firds

STATUS = {"TermntdRcrd": "terminated", "CancRcrd": "cancelled", "CxlData": "cancelled"}


@dataclasses.dataclass(frozen=True)
class MadeRecord:
    """One record of a made file."""

    tag: str
    isin: str
    mic: str
    name: str
    period: str | None
    cfi: str = "ESVUFR"
    authority: str = "SE"  # "" for none

    @property
    def is_bare(self) -> bool:
        """Return whether it is a cancellation with the key alone."""
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
    records: tuple[MadeRecord, ...]

    @property
    def day(self) -> str:
        digits = self.name.rsplit("_", 2)[-2]
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"

    @property
    def order(self) -> tuple[str, int]:
        return self.day, ["DLTINS", "FULCAN", "FULINS"].index(self.name[:6])

    def xml(self) -> bytes:
        return firds.message(self.name, *(record.xml() for record in self.records))


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

    def is_repetition_of(self, other: "_Shown") -> bool:
        """Return whether the other record has the same values; a list of cancellations publishes no day."""
        values = (self.status, self.name, self.period)
        same_day = self.is_listed or self.valid_from == other.valid_from
        return values == (other.status, other.name, other.period) and same_day


def _shown(file: MadeFile, record: MadeRecord) -> _Shown:
    name, period = (None, None) if record.is_bare else (record.name, record.period)
    valid_from = dt.date.fromisoformat(period or file.day)
    return _Shown(
        STATUS.get(record.tag, "active"), valid_from, name, period, file.name, record.cfi[0]
    )


def _add(timeline: list[_Shown], new: _Shown) -> None:
    """Add a record unless it is a repetition; a listed cancellation comes before the one that it repeats."""
    comparable = timeline if new.is_listed else [old for old in timeline if not old.is_listed]
    if any(new.is_repetition_of(old) for old in comparable):
        return
    place = len(timeline)
    if new.is_listed:
        cancellations = [n for n, old in enumerate(timeline) if old.is_cancellation]
        published_once = [n for n in cancellations if not timeline[n].is_listed]
        place = max(published_once or cancellations, default=place)
    timeline.insert(place, new)


def in_publication_order(files: Iterable[MadeFile]) -> list[MadeFile]:
    """Return files in the order of their days, the parts of a set in that of their names."""
    return sorted(files, key=lambda file: (file.order, file.name))


def expected(files: Iterable[MadeFile]) -> State:
    """Listings and versions: of each key the distinct records, in the order first published."""
    timelines: dict[tuple[str, str], list[_Shown]] = {}
    by_order = in_publication_order(set(files))
    for file in by_order:
        for record in file.records:
            timeline = timelines.setdefault((record.isin, record.mic), [])
            _add(timeline, _shown(file, record))
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
    """Return the first complete full set after the last file that has an active listing."""
    if last.status != "active" or last.letter != "E":  # the made sets are of this category
        return None
    sets: dict[str, list[MadeFile]] = {}
    for file in files:
        if file.name.startswith("FULINS"):
            sets.setdefault(file.day, []).append(file)
    last_seen = next(file.order for file in files if file.name == last.file)
    for parts in sets.values():
        if any((record.isin, record.mic) == key for file in parts for record in file.records):
            last_seen = max(last_seen, parts[0].order)
    whole = [parts for parts in sets.values() if len(parts) == int(parts[0].name[-2:])]
    after = [parts for parts in whole if parts[0].order > last_seen]
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
