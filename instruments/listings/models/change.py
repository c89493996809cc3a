"""The order in which this database learned of what it holds."""

from django.db import models


class ChangeSet(models.Model):
    """What one load, or another step, has changed in the listings: all of it was committed at once.

    Numbers are in the order of commits (instruments/listings/load/changes.py). Number 0 is older than the
    numbers, and its time tells this database from every other.
    """

    FIRST = 0

    number = models.BigIntegerField(primary_key=True)
    made_at = models.DateTimeField(help_text="just before it was committed")

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.number}, {self.made_at:%Y-%m-%d %H:%M}"
