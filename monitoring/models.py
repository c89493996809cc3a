"""Recorded results of health checks."""

from django.db import models


class CheckResult(models.Model):
    """The last recorded result of a health check, and since when its status has been the same."""

    class Status(models.TextChoices):
        OK = "ok", "OK"
        WARNING = "warning", "Warning"
        FAILED = "failed", "Failed"
        UNKNOWN = "unknown", "Not checked"

    name = models.CharField(max_length=50, unique=True)
    status = models.CharField(max_length=10, choices=Status)
    reason = models.TextField(blank=True)
    since = models.DateTimeField(help_text="time of the first result with this status")
    checked_at = models.DateTimeField()
    milliseconds = models.FloatField(default=0, help_text="duration of the check")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name}: {self.status}"
