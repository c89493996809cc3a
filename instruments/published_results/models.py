"""The columns that all published results share: transparency (FITRS) and volume cap (DVCAP)."""

import datetime as dt
from typing import Any, ClassVar

from django.db import models
from django.db.models import F

from esma_files.models import EsmaFile
from instruments.listings.models.record import Register, text
from marketdata.common.plain import to_plain
from marketdata.web.pages import KeyedQuerySet


class ResultQuerySet(KeyedQuerySet):
    def published(self) -> "ResultQuerySet":
        """Results that the newest revision of some file holds."""
        return self.filter(withdrawn_on=None)

    def current(self) -> "ResultQuerySet":
        """Results that no later publication has replaced."""
        return self.filter(superseded=False)

    def for_isin(self, isin: str) -> "ResultQuerySet":
        """The current results of one ISIN, the newest reporting period first."""
        newest = F("reported_period_to").desc(nulls_last=True)
        return self.current().filter(isin=isin).order_by(newest, "pk")


# First and last day; None where a period is open.
Period = tuple[dt.date | None, dt.date | None]


def period_of(record: "PublishedResult", name: str) -> Period:
    """Return the period whose columns begin with `name`: it is published in one of four forms."""

    def first_given(*endings: str) -> dt.date | None:
        days = (getattr(record, f"{name}_{ending}") for ending in endings)
        return next((day for day in days if day is not None), None)

    return first_given("period_from", "from", "on"), first_given("period_to", "to", "on")


def describe_period(period: Period) -> dict[str, Any] | None:
    """Return a period as plain values; None if both days are open."""
    first, last = map(to_plain, period)
    return {"first_day": first, "last_day": last} if first or last else None


class PublishedResult(models.Model):
    """A result computed by ESMA or the FCA, stored once however often it is published.

    Several versions of one result have the same `result_key`: those of the newest publication are current,
    the others superseded (publications.py). A load deletes none. Lists are ordered by `list_column`, then by
    primary key.
    """

    list_column: ClassVar[str] = "isin"

    register = models.CharField(max_length=5, choices=Register, default=Register.ESMA)
    # The file that published it first.
    source_file = models.ForeignKey(
        EsmaFile, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    source_position = models.PositiveIntegerField(
        help_text="1 is the first record of the file; 0 is not known, for the file that published it"
        " before has been republished"
    )
    fingerprint = models.BigIntegerField()
    result_key = models.BigIntegerField(help_text="a hash of the columns that identify the result")
    superseded = models.BooleanField(default=False)
    published_again = models.JSONField(
        null=True, help_text="keys of the files with which it came into force again"
    )
    known_from = models.DateField(
        null=True,
        help_text="day of the republished file that brought it; empty for the day of the file",
    )
    withdrawn_on = models.DateField(
        null=True, help_text="day on which its file was republished without it"
    )

    technical_record_id = text(35)
    reported_on = models.DateField(null=True)
    reported_from = models.DateField(null=True)
    reported_to = models.DateField(null=True)
    reported_period_from = models.DateField(null=True)
    reported_period_to = models.DateField(null=True)

    objects = ResultQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def reporting_period(self) -> Period:
        """First and last day; each None where it is open or not published."""
        return period_of(self, "reported")


class ResultFile(models.Model):
    """The results that a file holds in one table, as a bitmap of their keys (Roaring).

    It outlives the file, and tells which publications hold a result. That of an older revision of a
    republished file counts for questions about what was known on a day, and for nothing else.
    """

    file = models.ForeignKey(EsmaFile, on_delete=models.PROTECT, related_name="+")
    table = models.CharField(max_length=64)
    results = models.BinaryField()
    is_replaced = models.BooleanField(default=False, help_text="by a newer revision of the file")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["file", "table"], name="result_file_once"),
        ]

    def __str__(self) -> str:
        return f"{self.file}: {self.table}"
