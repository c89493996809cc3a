"""The coverage of instruments by other sources, counted by night so that no request counts large tables."""

from django.db import models


class Coverage(models.Model):
    """The number of instruments of one CFI category of which a source has data."""

    class Source(models.TextChoices):
        ENTITY = "entity", "Legal entity of the issuer (GLEIF)"
        ISIN_LEI = "isin_lei", "ISIN-LEI file (GLEIF)"
        ISSUER_DIFFERENCE = "issuer_difference", "Another LEI in the ISIN-LEI file (GLEIF)"
        FIGI = "figi", "FIGI (OpenFIGI)"
        TRANSPARENCY = "transparency", "Transparency result (FITRS)"

    category = models.CharField(max_length=1, blank=True)  # the first letter of the CFI code
    source = models.CharField(max_length=20, choices=Source)
    instruments = models.BigIntegerField(help_text="instruments of the category, of any status")
    covered = models.BigIntegerField(help_text="those of which the source has data")
    counted_at = models.DateTimeField()

    class Meta:
        ordering = ["category", "source"]
        constraints = [
            models.UniqueConstraint(fields=["category", "source"], name="coverage_once"),
        ]

    def __str__(self) -> str:
        return f"{self.category} {self.source}: {self.covered:,} of {self.instruments:,}"
