"""What the registers should have published, and no row is there for.

Worked out from the rows each time, so a gap is closed by the file that fills it. Looked for between
the first and the last day that is known of a kind: before the first, nobody has asked.
"""

import dataclasses
import datetime as dt
import itertools
from collections import defaultdict

from esma_files import sets
from esma_files.models import EsmaFile
from esma_files.names import Kind

# The kinds that come every day, also on Sundays and holidays.
_DAILY = (Kind.DLTINS, Kind.FULCAN)
_WEEKLY = (Kind.FULINS,)


@dataclasses.dataclass(frozen=True)
class Gap:
    """Days without a delta, weeks without a full file, or a set without some of its parts.

    `count` publications are missing from `day` to `until`, both included.
    """

    dataset: str
    kind: str
    category: str
    day: dt.date
    until: dt.date
    count: int = 1
    missing_parts: tuple[int, ...] = ()
    parts: int = 0

    def __str__(self) -> str:
        name = f"{self.kind} {self.category}".strip()
        if self.missing_parts:
            numbers = ", ".join(map(str, self.missing_parts))
            return f"{name} of {self.day} ({self.dataset}): part {numbers} of {self.parts} missing"
        if self.count == 1:
            return f"{name} of {self.day} ({self.dataset}) missing"
        return f"{name} of {self.day} to {self.until} ({self.dataset}): {self.count} missing"


def find(dataset: str = "") -> list[Gap]:
    """The gaps of one register, or of all; oldest first. One query."""
    files = EsmaFile.objects.filter(dataset=dataset) if dataset else EsmaFile.objects.all()
    fields = ("dataset", "kind", "category", "published_on", "part", "parts")
    found = sets.group(EsmaFile(**row) for row in files.order_by().values(*fields).distinct())
    gaps = [*_incomplete(found)]
    days: dict[tuple[str, str, str], set[dt.date]] = defaultdict(set)
    for each in found:
        days[each.key.dataset, each.key.kind, each.key.category].add(each.key.day)
    for (of, kind, category), known in days.items():
        if kind in _DAILY:
            runs = _pauses(known, every=1, grace=0)
        elif kind in _WEEKLY:
            runs = _pauses(known, every=7, grace=1)
        else:
            continue
        gaps += [Gap(of, kind, category, run[0], run[-1], len(run)) for run in runs]
    return sorted(gaps, key=lambda gap: (gap.day, gap.dataset, gap.kind, gap.category))


def _incomplete(found: list[sets.FileSet]) -> list[Gap]:
    """Sets that lack parts, where no other set of the day is whole: ESMA may split a day anew."""
    whole = {(s.key.dataset, s.key.kind, s.key.category, s.key.day) for s in found if not s.missing}
    return [
        Gap(
            s.key.dataset,
            s.key.kind,
            s.key.category,
            day=s.key.day,
            until=s.key.day,
            count=len(s.missing),
            missing_parts=tuple(s.missing),
            parts=s.key.parts,
        )
        for s in found
        if s.missing and (s.key.dataset, s.key.kind, s.key.category, s.key.day) not in whole
    ]


def _pauses(known: set[dt.date], *, every: int, grace: int) -> list[list[dt.date]]:
    """The days that should have had a file, between two that had one; `grace` days late is in time."""
    pauses = []
    ordered = sorted(known)
    for earlier, later in itertools.pairwise(ordered):
        days = (later - earlier).days - grace
        if missing := [earlier + dt.timedelta(days=n) for n in range(every, max(days, 0), every)]:
            pauses.append(missing)
    return pauses
