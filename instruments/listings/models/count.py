"""Counts that loads keep, so that no request counts large tables."""

from django.db import models
from django.db.models import F

from instruments.listings.models.record import Status


class InstrumentCount(models.Model):
    """The number of instruments of one CFI category in one status, and of their listings."""

    category = models.CharField(max_length=1, blank=True)  # the first letter of the CFI code
    status = models.CharField(max_length=10, choices=Status)
    instruments = models.BigIntegerField(default=0)
    # Instruments with a listing in the register, and all their listings there.
    eu_instruments = models.BigIntegerField(default=0)
    eu_listings = models.BigIntegerField(default=0)
    uk_instruments = models.BigIntegerField(default=0)
    uk_listings = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["category", "status"]
        constraints = [
            models.UniqueConstraint(fields=["category", "status"], name="instrument_count_once"),
        ]

    def __str__(self) -> str:
        return f"{self.category} {self.status}: {self.instruments:,}"


class TableCountQuerySet(models.QuerySet["TableCount"]):
    def of(self, *tables: type[models.Model]) -> list[int]:
        """Return the kept number of rows of each table, with one query."""
        rows = dict(self.values_list("table", "rows"))
        return [rows.get(model._meta.db_table, 0) for model in tables]

    def add(self, model: type[models.Model], rows: int) -> None:
        """Note that so many rows were added to a table, or deleted where the number is negative."""
        name = model._meta.db_table
        if rows and not self.filter(pk=name).update(rows=F("rows") + rows):
            self.create(table=name, rows=rows)


class TableCount(models.Model):
    """The number of rows of one table."""

    table = models.CharField(max_length=100, primary_key=True)
    rows = models.BigIntegerField(default=0)

    objects = TableCountQuerySet.as_manager()

    class Meta:
        ordering = ["table"]

    def __str__(self) -> str:
        return f"{self.table}: {self.rows:,}"
