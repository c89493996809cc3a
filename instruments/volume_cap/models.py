"""What ESMA publishes of trading under waivers, by ISIN and by venue (volume cap)."""

from django.db import models

from instruments.listings.models.record import decimal, text
from instruments.transparency.models import PublishedResult


class VolumeCap(PublishedResult):
    """How much of the trading in one ISIN was under waivers, over one reporting period.

    The columns are those of `instruments.volume_caps`. Percentages are as published: nothing says
    here what a cap is, or that trading is suspended.
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
    """One venue's part in a volume cap result. The order in which ESMA names venues is not kept."""

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
