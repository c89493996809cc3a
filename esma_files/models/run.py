"""What a load did, and what it could not take."""

from django.db import models
from django.utils import timezone

from esma_files.models.file import EsmaFile


class LoadRun(models.Model):
    """One attempt to load one file, and what came of its records.

    `read` is `new + changed + ended + late + unchanged + rejected`.
    """

    class Outcome(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        ABANDONED = "abandoned", "Abandoned"

    file = models.ForeignKey(EsmaFile, on_delete=models.CASCADE, related_name="runs")
    outcome = models.CharField(max_length=20, choices=Outcome, default=Outcome.RUNNING)
    started_at = models.DateTimeField(default=timezone.now)
    seconds = models.FloatField(default=0, help_text="of reading and of merging")
    read = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(default=0, help_text="listings not known before")
    changed = models.PositiveIntegerField(default=0, help_text="listings that now read otherwise")
    ended = models.PositiveIntegerField(default=0, help_text="listings terminated or cancelled")
    late = models.PositiveIntegerField(default=0, help_text="filed below a newer version")
    unchanged = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    unmapped = models.JSONField(
        default=dict, blank=True, help_text="elements that no field is there for, with their count"
    )
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ["-started_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.file.name}, {self.started_at:%Y-%m-%d %H:%M}"


class RejectedRecord(models.Model):
    """One field of one record that cannot be what it says; the record is not in the tables.

    `record` holds the record as published, element path to text, so that nothing is lost.
    """

    file = models.ForeignKey(EsmaFile, on_delete=models.CASCADE, related_name="rejected_records")
    position = models.PositiveIntegerField(help_text="1 is the first record of the file")
    isin = models.CharField(max_length=50, blank=True)
    mic = models.CharField(max_length=50, blank=True)
    field = models.CharField(max_length=200, help_text="path of the element in the record")
    value = models.TextField(blank=True)
    reason = models.CharField(max_length=200)
    record = models.JSONField(default=dict)

    class Meta:
        ordering = ["file", "position", "field"]

    def __str__(self) -> str:
        return f"record {self.position}: {self.field} is {self.value!r}"
