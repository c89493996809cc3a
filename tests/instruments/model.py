"""ESMA's rules in the plainest Python: what the tables must say for a set of files."""

import dataclasses
import datetime as dt
import itertools
from collections.abc import Iterable
from typing import Any

from instruments.models import Listing, ListingVersion
from tests import firds

STATUS = {"TermntdRcrd": "terminated", "CancRcrd": "cancelled"}


@dataclasses.dataclass(frozen=True)
class Said:
    """One record of a made file."""

    tag: str
    isin: str
    mic: str
    name: str
    period: str | None

    def xml(self) -> str:
        if self.tag == "CancRcrd":
            return firds.cancellation(self.isin, self.mic)
        return firds.record(self.tag, self.isin, self.mic, name=self.name, period=self.period)


@dataclasses.dataclass(frozen=True)
class MadeFile:
    """A made file: full files come after the delta of their day."""

    name: str
    records: tuple[Said, ...]

    @property
    def day(self) -> str:
        digits = self.name.rsplit("_", 2)[-2]
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"

    @property
    def order(self) -> tuple[str, bool]:
        return self.day, self.name.startswith("FULINS")

    def xml(self) -> bytes:
        return firds.message(self.name, *(said.xml() for said in self.records))


State = tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]


def expected(files: Iterable[MadeFile]) -> State:
    """Listings and versions: of each key the distinct records, in the order first published."""
    timelines: dict[tuple[str, str], dict[tuple[Any, ...], tuple[Any, ...]]] = {}
    for file in sorted(set(files), key=lambda file: file.order):
        for said in file.records:
            cancelled = said.tag == "CancRcrd"
            valid_from = dt.date.fromisoformat(said.period or file.day)
            if cancelled:
                valid_from = dt.date.fromisoformat(file.day)
            name = None if cancelled else said.name
            shown = (STATUS.get(said.tag, "active"), valid_from, name, file.name)
            published = (*shown[:-1], None if cancelled else said.period)
            timeline = timelines.setdefault((said.isin, said.mic), {})
            timeline.setdefault(published, shown)
    listings, versions = set(), set()
    for key, timeline in timelines.items():
        shown_in_order = list(timeline.values())
        listings.add((*key, *shown_in_order[-1]))
        for version, following in itertools.pairwise(shown_in_order):
            versions.add((*key, *version, following[1] - dt.timedelta(days=1)))
    return listings, versions


def found() -> State:
    """The same, from the tables."""
    columns = ("isin", "mic", "status", "valid_from", "full_name", "source_file__name")
    listings = [
        (*row[:-1], row[-1].removesuffix(".zip")) for row in Listing.objects.values_list(*columns)
    ]
    versions = [
        (*row[:-2], row[-2].removesuffix(".zip"), row[-1])
        for row in ListingVersion.objects.values_list(*columns, "valid_to")
    ]
    assert len(set(listings)) == len(listings)
    assert len(set(versions)) == len(versions)
    return set(listings), set(versions)
