"""The deltas that a register still lists."""

import datetime as dt

from django.db import models

from esma_files.models.file import dataset_choices
from marketdata.common.numbers import format_count


class RegisterHistory(models.Model):
    """The oldest delta of a kind that a register listed, when it was first and when it was last asked.

    A register that removes old files lists a later one each time. Of a register that keeps all of them the
    oldest stays the same, and no file is about to leave.
    """

    dataset = models.CharField(max_length=20, choices=dataset_choices)
    kind = models.CharField(max_length=10)
    oldest_on = models.DateField(help_text="day of the oldest delta in the last answer")
    checked_on = models.DateField()
    first_oldest_on = models.DateField(help_text="day of the oldest delta in the first answer")

    class Meta:
        verbose_name_plural = "register histories"
        constraints = [
            models.UniqueConstraint(fields=["dataset", "kind"], name="register_history_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.dataset} since {self.oldest_on}"

    @property
    def removes_files(self) -> bool:
        return self.oldest_on > self.first_oldest_on

    def warning(self, day: dt.date, *, notice_days: int) -> str:
        """Return a warning about a delta of this day that is still needed; "" where there is no hurry.

        `notice_days` is the number of days before its removal from which on a file counts as about to leave.
        """
        if day < self.oldest_on:
            return f"it has left the register, which lists nothing before {self.oldest_on}"
        days_left = (day - self.oldest_on).days
        if self.removes_files and days_left <= notice_days:
            return (
                f"it leaves the register in about {format_count(days_left, 'day')}: fetch it before"
            )
        return ""
