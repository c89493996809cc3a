"""The use of the storage by dataset, kind, tier and age, and its cost."""

import dataclasses
import datetime as dt
from collections import defaultdict
from decimal import Decimal

from django.conf import settings
from django.db.models import Case, Count, Sum, Value, When
from django.utils import timezone

from esma_files.datasets import Dataset
from esma_files.models import EsmaFile

_GB = 10**9


@dataclasses.dataclass(frozen=True)
class Share:
    """The stored files of one dataset, kind, tier and age; `monthly_cost` in US dollars."""

    container: str
    dataset: str
    kind: str
    tier: str
    age: str
    files: int
    bytes: int
    monthly_cost: Decimal

    @property
    def label(self) -> str:
        """The name of the dataset, for pages."""
        return str(Dataset(self.dataset).label)


@dataclasses.dataclass(frozen=True)
class Usage:
    """All stored files, with the budget; `warning` is "" below STORAGE_WARN_PERCENT of it."""

    location: str
    files: int
    bytes: int
    budget_bytes: int
    percent: float
    monthly_cost: Decimal
    warning: str
    shares: list[Share]


def bytes_used() -> int:
    """Return the bytes of all stored files. One query."""
    return EsmaFile.objects.stored().aggregate(total=Sum("size"))["total"] or 0


def collect() -> Usage:
    """Add up all stored files. One query."""
    rows = (
        EsmaFile.objects.stored()
        .order_by()
        .annotate(age=_age_group(timezone.localdate()))
        .values("dataset", "kind", "location", "tier", "age")
        .annotate(files=Count("pk"), bytes=Sum("size"))
    )
    sums: dict[tuple[str, str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        key = (row["dataset"], row["kind"], row["tier"] or row["location"], row["age"])
        sums[key][0] += row["files"]
        sums[key][1] += row["bytes"]
    shares = [
        Share(
            container=Dataset(dataset).publication.container,
            dataset=dataset,
            kind=kind,
            tier=tier,
            age=age,
            files=files,
            bytes=size,
            monthly_cost=monthly_cost(size, tier),
        )
        for (dataset, kind, tier, age), (files, size) in sorted(sums.items())
    ]
    total = sum(share.bytes for share in shares)
    percent = 100 * total / settings.STORAGE_BUDGET_BYTES
    return Usage(
        location=settings.FILES_LOCATION,
        files=sum(share.files for share in shares),
        bytes=total,
        budget_bytes=settings.STORAGE_BUDGET_BYTES,
        percent=round(percent, 1),
        monthly_cost=sum((share.monthly_cost for share in shares), Decimal(0)),
        warning=_warning(total, percent),
        shares=shares,
    )


def _age_group(today: dt.date) -> Case:
    """Return the range of ages, in days, by the limits of the retention policy."""
    cool, archive = settings.COOL_AFTER_DAYS, settings.ARCHIVE_AFTER_DAYS
    cooled, archived = (today - dt.timedelta(days=days) for days in (cool, archive))
    return Case(
        When(published_on__gte=cooled, then=Value(f"0-{cool} days")),
        When(published_on__gte=archived, then=Value(f"{cool + 1}-{archive} days")),
        default=Value(f"over {archive} days"),
    )


def monthly_cost(size: int, tier: str) -> Decimal:
    """Return US dollars for `size` bytes; a folder on this machine costs nothing."""
    price = Decimal(settings.STORAGE_PRICES.get(tier, "0"))
    return (price * size / _GB).quantize(Decimal("0.000001"))


def _warning(total: int, percent: float) -> str:
    if percent < settings.STORAGE_WARN_PERCENT:
        return ""
    return (
        f"{total:,} bytes are {percent:.0f} % of STORAGE_BUDGET_BYTES="
        f"{settings.STORAGE_BUDGET_BYTES:,}: delete files (in the admin, or by `manage.py"
        " clean_files`), or raise the budget."
    )
