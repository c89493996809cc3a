"""Figures of analytics, counted by night so that no page counts large tables."""

from django.db import models


class FigureSubject(models.TextChoices):
    """The subjects, with the keys of their figures."""

    CURRENCY = "currency", "Instruments by notional currency"  # the currency; "" for none
    MATURITY = "maturity", "Active debt by year of maturity"  # the year
    QUALITY = "quality", "Active instruments without a value"  # the column; "" for all of them
    GROWTH = "growth", "Totals by day"  # instruments, active or listings
    NEW = "new", "Listings added, by week"  # the Monday of the week of publication
    CHANGED = "changed", "Listings changed, by week"
    ENDED = "ended", "Listings ended, by week"
    SPEED = "speed", "Records loaded a second, by day"  # the day


class FigureQuerySet(models.QuerySet["Figure"]):
    def read_newest(self, *subjects: FigureSubject) -> dict[str, dict[str, int]]:
        """Return the figures by subject and key; of those kept for each day, the newest. One query."""
        figures: dict[str, dict[str, int]] = {subject: {} for subject in subjects}
        rows = self.filter(subject__in=subjects).order_by("day", "key")
        for subject, key, number in rows.values_list("subject", "key", "number"):
            figures[subject][key] = number
        return figures


class Figure(models.Model):
    """A number, as counted on a day."""

    subject = models.CharField(max_length=10, choices=FigureSubject)
    key = models.CharField(max_length=20, blank=True)
    day = models.DateField(help_text="day on which it was counted")
    number = models.BigIntegerField()

    objects = FigureQuerySet.as_manager()

    class Meta:
        ordering = ["subject", "day", "key"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["subject", "day", "key"], name="figure_once"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.key} on {self.day}: {self.number:,}"
