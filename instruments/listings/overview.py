"""Overview of the data: instruments by category, the newest file of each dataset, and the last changes.

Read from the counts that loads keep, and from the tables of files and runs: no query grows with the
instruments.
"""

import dataclasses
import datetime as dt
from collections import defaultdict
from decimal import Decimal

from django.db.models import Max, Sum

from esma_files.datasets import Dataset
from esma_files.models import EsmaFile, Run
from instruments.classification import cfi
from instruments.listings.status import today
from instruments.models import InstrumentCount, Status
from marketdata.web.charts import ColumnChart, TimeAxis, draw_columns

CHANGES_SHOWN = 30  # days


@dataclasses.dataclass(frozen=True)
class CategoryOverview:
    """Instruments of one CFI category; `active` are those published as active."""

    category: str
    name: str
    instruments: int
    active: int
    share: float  # of the largest category, in percent: the length of its bar


@dataclasses.dataclass(frozen=True)
class DatasetOverview:
    """The newest loaded publication of a dataset."""

    dataset: str
    name: str
    published_on: dt.date
    age_days: int


@dataclasses.dataclass(frozen=True)
class DailyChanges:
    """Listings that the deltas of a day added, changed or ended."""

    day: dt.date
    new: int
    changed: int
    ended: int

    @property
    def total(self) -> int:
        return self.new + self.changed + self.ended


@dataclasses.dataclass(frozen=True)
class Overview:
    """The data loaded. Without any instrument, `categories` is empty."""

    instruments: int
    active: int
    categories: list[CategoryOverview]
    datasets: list[DatasetOverview]


def read_overview() -> Overview:
    """Return the overview, with two queries."""
    totals: dict[str, int] = defaultdict(int)
    active: dict[str, int] = defaultdict(int)
    for row in InstrumentCount.objects.exclude(instruments=0):
        totals[row.category] += row.instruments
        if row.status == Status.ACTIVE:
            active[row.category] += row.instruments
    largest = max(totals.values(), default=1)
    names = cfi.category_names()
    categories = [
        CategoryOverview(
            category,
            names.get(category, "No CFI code"),
            count,
            active[category],
            100 * count / largest,
        )
        for category, count in sorted(totals.items(), key=lambda item: -item[1])
    ]
    datasets = [
        DatasetOverview(dataset, str(Dataset(dataset).label), day, (today() - day).days)
        for dataset, day in sorted(read_newest_days().items())
    ]
    return Overview(sum(totals.values()), sum(active.values()), categories, datasets)


def read_newest_days() -> dict[str, dt.date]:
    """Return the day of the newest publication of each dataset that has been loaded. One query.

    A file that retention has archived or deleted since counts too: its data are still here.
    """
    rows = EsmaFile.objects.ever_loaded().order_by().values_list("dataset")
    return dict(rows.annotate(Max("published_on")))


def read_changes() -> list[DailyChanges]:
    """Return the changes of the last CHANGES_SHOWN days of publication, as loaded, the oldest first.

    They end with the newest delta that has been loaded. Two queries.
    """
    loads = Run.objects.filter(kind=Run.Kind.LOAD, state=Run.State.DONE, file__kind="DLTINS")
    newest = loads.order_by().aggregate(day=Max("file__published_on"))["day"]
    if newest is None:
        return []
    first = newest - dt.timedelta(days=CHANGES_SHOWN - 1)
    rows = (
        loads.filter(file__published_on__gte=first)
        .order_by("file__published_on")
        .values_list("file__published_on")
        .annotate(Sum("new"), Sum("changed"), Sum("ended"))
    )
    return [DailyChanges(*row) for row in rows]


def draw_changes(changes: list[DailyChanges]) -> ColumnChart | None:
    """Return the changes of the days as columns; None without any."""
    if not changes:
        return None
    last = changes[-1].day
    axis = TimeAxis(last - dt.timedelta(days=CHANGES_SHOWN - 1), last)
    return draw_columns(
        axis,
        [
            (
                row.day,
                row.day,
                Decimal(row.total),
                "active",
                f"{row.day}: {row.new:,} new, {row.changed:,} changed, {row.ended:,} ended",
            )
            for row in changes
        ],
    )
