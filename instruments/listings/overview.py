"""Overview of the data: instruments by category, and the newest file of each dataset.

Read from the counts that loads keep and from the table of files: no query grows with the instruments.
"""

import dataclasses
import datetime as dt
from collections import defaultdict

from django.db.models import Max

from esma_files.datasets import Dataset
from esma_files.models import EsmaFile
from instruments.classification import cfi
from instruments.models import InstrumentCount, Status


@dataclasses.dataclass(frozen=True)
class CategoryOverview:
    """Instruments of one CFI category; `active` are those published as active."""

    category: str
    name: str
    instruments: int
    active: int
    share: float  # of all instruments, in percent of the largest category


@dataclasses.dataclass(frozen=True)
class DatasetOverview:
    """The newest loaded publication of a dataset."""

    dataset: str
    name: str
    published_on: dt.date


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
        DatasetOverview(dataset, str(Dataset(dataset).label), day)
        for dataset, day in sorted(read_newest_days().items())
    ]
    return Overview(sum(totals.values()), sum(active.values()), categories, datasets)


def read_newest_days() -> dict[str, dt.date]:
    """Return the day of the newest publication of each dataset that has been loaded. One query.

    A file that retention has archived or deleted since counts too: its data are still here.
    """
    rows = EsmaFile.objects.ever_loaded().order_by().values_list("dataset")
    return dict(rows.annotate(Max("published_on")))
