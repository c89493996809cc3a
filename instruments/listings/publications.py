"""Full sets as they were published, and the listings that they lack.

A full set holds the active records of a CFI category. So an active listing is dropped by the first
complete full set of its category after the last publication that holds it: the file of its record, or the
last full file that lists it. That depends on the set of files loaded only, and not on their order.
"""

import dataclasses
import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pyroaring import BitMap64

from esma_files.datasets import Dataset
from esma_files.models import EsmaFile
from esma_files.names import PARTS
from instruments.listings.load.known_days import choose_known
from instruments.models import FullFile, HeldListings, Register, ReplacedFullFile


def place_of(file: EsmaFile) -> int:
    """Return the place of a file in publication order, which the parts of a set have in common."""
    return file.sequence // PARTS


def listings_of(full_file: HeldListings) -> BitMap64:
    """Return the keys of the listings that a full file holds."""
    return BitMap64.deserialize(bytes(full_file.listings))


@dataclasses.dataclass(frozen=True)
class Publication:
    """The full set of a category and a day, as far as it is loaded."""

    place: int
    files: list[HeldListings]

    @property
    def is_complete(self) -> bool:
        """Return True if all parts are loaded, and none as an excerpt.

        A day may be published again in another number of parts.
        """
        loaded = {
            (full.file.parts, full.file.part) for full in self.files if not full.file.is_excerpt
        }
        totals = {parts for parts, _ in loaded}
        return any({(n, part) for part in range(1, n + 1)} <= loaded for n in totals)

    @property
    def listings(self) -> BitMap64:
        return BitMap64.union(*map(listings_of, self.files))

    @property
    def last_file(self) -> EsmaFile:
        """The file that a dropped listing refers to, whichever part was loaded last."""
        return max(self.files, key=lambda full: (full.file.parts, full.file.part)).file


def read_publications(
    register: str,
    category: str,
    *,
    until: dt.date | None = None,
    known_on: dt.date | None = None,
) -> Iterator[Publication]:
    """Yield the full sets of a category, the newest first; of each part the newest revision.

    With `until`, those published by that day; with `known_on`, of each part the revision that was the newest
    on that day. One query (with `known_on` two), and one for each bitmap that is used.
    """
    files = FullFile.objects.filter(
        reconciliation__register=register, reconciliation__category=category
    )
    if until is not None:
        files = files.filter(file__published_on__lte=until)
    files = (
        files.select_related("file")
        .defer("listings")
        .order_by("-file__published_on", "file__name", "file__revision")
    )
    replaced: dict[str, list[HeldListings]] = defaultdict(list)
    if known_on is not None:
        for older in _read_replaced(register, category, until):
            replaced[older.file.name].append(older)
    for place, parts in itertools.groupby(files, key=lambda full: place_of(full.file)):
        newest: dict[str, HeldListings] = {full.file.name: full for full in parts}
        yield Publication(
            place, [_choose(full, replaced[name], known_on) for name, full in newest.items()]
        )


def _read_replaced(
    register: str, category: str, until: dt.date | None
) -> Iterable[ReplacedFullFile]:
    """Return the older revisions of the full files of a category."""
    datasets = [dataset for dataset in Dataset if dataset.authority == Register(register)]
    older = ReplacedFullFile.objects.filter(file__dataset__in=datasets, file__category=category)
    if until is not None:
        older = older.filter(file__published_on__lte=until)
    return older.select_related("file").defer("listings")


def _choose(
    newest: HeldListings, older: Iterable[HeldListings], known_on: dt.date | None
) -> HeldListings:
    """Return the revision that was the newest one on a day, or is it now."""
    revisions: dict[Any, HeldListings] = {full.file: full for full in (newest, *older)}
    if known_on is None or len(revisions) == 1:
        return newest
    return revisions[choose_known(list(revisions), known_on)]


def find_drops(
    publications: Iterable[Publication],
    places: Mapping[int, int],
    read: Callable[[HeldListings], BitMap64] = listings_of,
) -> dict[int, EsmaFile]:
    """Return which of some listings the newest of these publications have dropped, and by which file.

    `places` has for each key of a listing the place of the last file with a record of it.
    """
    undecided = BitMap64(places)
    drops: dict[int, EsmaFile] = {}
    for publication in publications:
        undecided -= BitMap64(key for key in undecided if places[key] >= publication.place)
        for full_file in publication.files:
            if not undecided:
                return drops
            undecided -= read(full_file)
        if publication.is_complete:
            drops |= dict.fromkeys(undecided, publication.last_file)
    return drops
