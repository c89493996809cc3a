"""Publications that the registers should have made and that are not known here, and deltas that may be lost.

Computed from the rows each time, so a gap is closed by the file that fills it. Gaps are looked for between
the first and the last known day of a kind: days before the first have never been asked for.
"""

import dataclasses
import datetime as dt
import itertools
from collections import Counter, defaultdict

from django.conf import settings

from esma_files import sets
from esma_files.datasets import Dataset
from esma_files.kinds import KINDS, Cadence, Content, FileKind
from esma_files.models import EsmaFile, EsmaFileQuerySet, RegisterHistory

_WEEK = 7
# A weekly file may be published a day late.
_WEEKLY_GRACE = 1
# Intervals before and after a pause that show how often a kind is published.
_NEIGHBOURS = 4


@dataclasses.dataclass(frozen=True)
class Gap:
    """Days without a delta, weeks without a full file, a set without some of its parts, or a delta not
    fetched.

    `count` publications are missing from `day` to `until`, both included. `is_listed` where the register has
    listed the file and its bytes are not here: such files are reported only with a warning. `warning` tells
    whether a delta is about to leave or has left the register.
    """

    dataset: str
    kind: str
    category: str
    result_group: str
    day: dt.date
    until: dt.date
    count: int = 1
    missing_parts: tuple[int, ...] = ()
    parts: int = 0
    is_listed: bool = False
    warning: str = ""

    def __str__(self) -> str:
        series = " ".join(filter(None, (self.kind, self.category, self.result_group)))
        days = f"{self.day}" if self.day == self.until else f"{self.day} to {self.until}"
        if self.is_listed:
            state = "listed, not fetched"
        elif self.missing_parts:
            state = f"part {', '.join(map(str, self.missing_parts))} of {self.parts} missing"
        else:
            state = "missing" if self.count == 1 else f"{self.count} missing"
        ending = f" ({self.warning})" if self.warning else ""
        return f"{series} of {days} ({Dataset(self.dataset).label}): {state}{ending}"


def find(dataset: str = "") -> list[Gap]:
    """Return the gaps of one dataset, or of all, oldest first. Three queries."""
    files = EsmaFile.objects.filter(dataset=dataset) if dataset else EsmaFile.objects.all()
    known = _known_parts(files)
    gaps = [*_incomplete_sets(known), *_missing_publications(known)]
    histories = {(row.dataset, row.kind): row for row in RegisterHistory.objects.all()}
    gaps = [_with_warning(gap, histories) for gap in gaps]
    gaps += _unfetched_deltas(files, histories)
    return sorted(gaps, key=lambda gap: (gap.day, gap.dataset, gap.kind, gap.category))


def _known_parts(files: EsmaFileQuerySet) -> dict[sets.SetKey, set[int]]:
    """Return the numbers of the parts that have a row, by set."""
    columns = ("dataset", "kind", "category", "result_group", "published_on", "parts", "part")
    known: dict[sets.SetKey, set[int]] = {}
    # The rows of a set follow each other, so that a key is made once.
    for row, parts in itertools.groupby(
        files.order_by(*columns[:-1]).values_list(*columns), key=lambda row: row[:-1]
    ):
        known[sets.SetKey(*row)] = {part[-1] for part in parts}
    return known


def _missing_publications(known: dict[sets.SetKey, set[int]]) -> list[Gap]:
    days: dict[tuple[str, str, str, str], set[dt.date]] = defaultdict(set)
    for key in known:
        days[key.series].add(key.day)
    return [
        Gap(*series, day=pause[0], until=pause[-1], count=len(pause))
        for series, published in days.items()
        for pause in _pauses(KINDS[series[1]], published)
    ]


def _incomplete_sets(known: dict[sets.SetKey, set[int]]) -> list[Gap]:
    """Sets that lack parts, where no other set of the day is complete: ESMA may split a day twice."""
    missing = {
        key: tuple(part for part in range(1, key.parts + 1) if part not in parts)
        for key, parts in known.items()
    }
    complete = {(key.series, key.day) for key, parts in missing.items() if not parts}
    return [
        Gap(
            *key.series,
            day=key.day,
            until=key.day,
            count=len(parts),
            missing_parts=parts,
            parts=key.parts,
        )
        for key, parts in missing.items()
        if parts and (key.series, key.day) not in complete
    ]


def _pauses(kind: FileKind, published: set[dt.date]) -> list[list[dt.date]]:
    """The days that should have had a file, between two that had one."""
    if kind.cadence is Cadence.IRREGULAR:
        return []
    days = sorted(published)
    intervals = [(later - earlier).days for earlier, later in itertools.pairwise(days)]
    pauses = []
    for place, (start, length) in enumerate(zip(days, intervals, strict=False)):
        every = _expected_interval(kind, intervals, place)
        grace = _WEEKLY_GRACE if every == _WEEK else 0
        missing = [
            _on_weekday(start + dt.timedelta(days=number), kind)
            for number in range(every, max(length - grace, 0), every)
        ]
        if missing:
            pauses.append(missing)
    return pauses


def _expected_interval(kind: FileKind, intervals: list[int], place: int) -> int:
    """Return the number of days after which the next file was to be expected.

    Of a kind without a fixed cadence, the intervals around the one at `place` show it: a week, where all are
    whole weeks; otherwise the most frequent one, the longest of several. A week may be a day longer or
    shorter.
    """
    if kind.cadence is Cadence.DAILY:
        return 1
    if kind.cadence is Cadence.WEEKLY:
        return _WEEK
    begin = max(place - _NEIGHBOURS, 0)
    nearby = [_in_weeks(days) for days in intervals[begin : place + _NEIGHBOURS + 1]]
    if all(days % _WEEK == 0 for days in nearby):
        return _WEEK
    own = nearby.pop(place - begin)
    counts = Counter(nearby or [own])
    return max(days for days, count in counts.items() if count == max(counts.values()))


def _in_weeks(days: int) -> int:
    """Round an interval of about a week, or of several, to whole weeks."""
    weeks = round(days / _WEEK)
    return weeks * _WEEK if weeks and abs(days - weeks * _WEEK) <= _WEEKLY_GRACE else days


def _on_weekday(day: dt.date, kind: FileKind) -> dt.date:
    """Move an expected day to the weekday of its kind: the file before it may have been a day late."""
    if kind.weekday is None:
        return day
    return day - dt.timedelta(days=(day.weekday() - kind.weekday + 3) % _WEEK - 3)


def _with_warning(gap: Gap, histories: dict[tuple[str, str], RegisterHistory]) -> Gap:
    history = histories.get((gap.dataset, gap.kind))
    if history is None or KINDS[gap.kind].content is not Content.DELTA:
        return gap
    warning = history.warning(gap.day, notice_days=settings.REGISTER_NOTICE_DAYS)
    return dataclasses.replace(gap, warning=warning)


def _unfetched_deltas(
    files: EsmaFileQuerySet, histories: dict[tuple[str, str], RegisterHistory]
) -> list[Gap]:
    """Return selected deltas that were never loaded, and that leave the register soon or have left it."""
    deltas = [kind.code for kind in KINDS.values() if kind.content is Content.DELTA]
    selected = files.filter(
        dataset__in=settings.REGISTERS, kind__in={*deltas} & {*settings.DOWNLOAD_KINDS}
    )
    unfetched = selected.filter(content="", loaded_at=None).exclude(url="")
    gaps = [
        _with_warning(
            Gap(
                *sets.SetKey.of(file).series,
                day=file.published_on,
                until=file.published_on,
                is_listed=True,
            ),
            histories,
        )
        for file in unfetched.order_by("sequence")
    ]
    return [gap for gap in dict.fromkeys(gaps) if gap.warning]
