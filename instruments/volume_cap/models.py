"""Trading under waivers by ISIN and venue (volume cap results), and suspensions of waivers."""

import datetime as dt

from django.db import models

from instruments.listings.models.record import decimal, text
from instruments.published_results.models import PublishedResult


class VolumeCap(PublishedResult):
    """The share of the trading in one ISIN that was under waivers, over one reporting period.

    The columns are those of `instruments.volume_cap.fields`. Percentages are as published; whether a cap is
    exceeded is not derived from them.
    """

    isin = models.CharField(max_length=12)
    last_updated_on = models.DateField(null=True)
    total_volume = decimal()
    total_volume_currency = text(3)
    percentage = decimal()
    disclaimer = text(350)

    class Meta:
        ordering = ["isin", "result_key", "fingerprint", "register"]
        constraints = [
            models.UniqueConstraint(
                fields=["isin", "result_key", "fingerprint", "register"], name="volume_cap_once"
            ),
        ]
        indexes = [
            models.Index(fields=["reported_period_to", "isin"], name="volume_cap_period_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.isin}, volume cap"


class VolumeCapVenue(models.Model):
    """The share of one venue in a volume cap result. The order of the venues in the file is not kept."""

    volume_cap = models.ForeignKey(VolumeCap, on_delete=models.CASCADE, related_name="venues")
    mic = text(4)
    percentage = decimal()
    disclaimer = text(350)

    class Meta:
        ordering = ["volume_cap", "mic", "pk"]
        indexes = [models.Index(fields=["mic"], name="volume_cap_mic_idx")]
        verbose_name = "venue of a volume cap"
        verbose_name_plural = "venues of volume caps"

    def __str__(self) -> str:
        return f"{self.mic}: {self.percentage} %"


class VolumeCapSuspension(models.Model):
    """A suspension of the reference price waiver for one ISIN under the single volume cap.

    Both days are included; `suspended_to` is None for an open suspension.
    """

    isin = models.CharField(max_length=12)
    suspended_from = models.DateField()
    suspended_to = models.DateField(null=True)
    published_on = models.DateField(help_text="day on which the list was published")
    source_name = models.CharField(
        max_length=200, help_text="name of the list that published it last"
    )

    class Meta:
        ordering = ["isin", "-suspended_from"]
        constraints = [
            models.UniqueConstraint(fields=["isin", "suspended_from"], name="suspension_once"),
        ]
        verbose_name = "suspension under the volume cap"
        verbose_name_plural = "suspensions under the volume cap"

    def __str__(self) -> str:
        return f"{self.isin}: {self.suspended_from} to {self.suspended_to or 'open'}"

    def contains(self, day: dt.date) -> bool:
        """Return whether the suspension is in force on a day."""
        return self.suspended_from <= day <= (self.suspended_to or dt.date.max)
