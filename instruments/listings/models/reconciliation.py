"""Reconciliation: a full set compared with the listings built from deltas before it."""

from django.db import models

from esma_files.models import EsmaFile
from instruments.listings.models.record import Register


class Reconciliation(models.Model):
    """One full set, of one CFI category and day, against the listings as they were before it.

    Of the `listed` records, `same` were there as they are in the set, `missed` were not there,
    `different` had other values, and of `late` ones newer records were there already. `extra`
    listings were there, and are not in the set: they are dropped. Without an earlier full set there
    is nothing to compare: all but `listed` is 0 then.
    """

    register = models.CharField(max_length=5, choices=Register)
    category = models.CharField(max_length=1, help_text="CFI category")
    published_on = models.DateField()
    parts = models.PositiveSmallIntegerField()
    compared = models.BooleanField(help_text="whether an earlier full set had been loaded")
    completed_at = models.DateTimeField(null=True, help_text="when the last part was loaded")
    listed = models.PositiveIntegerField(default=0)
    same = models.PositiveIntegerField(default=0)
    missed = models.PositiveIntegerField(default=0)
    different = models.PositiveIntegerField(default=0)
    late = models.PositiveIntegerField(default=0)
    extra = models.PositiveIntegerField(default=0)
    by_field = models.JSONField(default=dict, help_text="differences by column")

    class Meta:
        ordering = ["-published_on", "category", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["register", "category", "published_on", "parts"], name="reconciliation_once"
            )
        ]

    def __str__(self) -> str:
        return f"FULINS {self.category} of {self.published_on} ({self.register})"


class FullFile(models.Model):
    """The listings that a full file holds, as a bitmap of their keys (Roaring, about 1 byte a listing).

    It outlives the file: a listing is dropped by the first complete full set after all files
    that contain it, and files may be loaded in any order.
    """

    file = models.OneToOneField(
        EsmaFile, on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    reconciliation = models.ForeignKey(
        Reconciliation, on_delete=models.PROTECT, related_name="files"
    )
    listings = models.BinaryField()
    counts = models.JSONField(
        default=dict, help_text="what the file adds to the counts of its reconciliation"
    )

    def __str__(self) -> str:
        return self.file.name


class ReplacedFullFile(models.Model):
    """The listings that an older revision of a full file held, for questions about what was known before."""

    file = models.OneToOneField(
        EsmaFile, on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    listings = models.BinaryField()

    def __str__(self) -> str:
        return self.file.name


HeldListings = FullFile | ReplacedFullFile


class Difference(models.Model):
    """One listing that a full set and the listings before it did not agree on.

    Of each file and kind the first by ISIN are kept (`EXAMPLES`); the numbers count all.
    """

    EXAMPLES = 1000

    class Kind(models.TextChoices):
        MISSED = "missed", "Missed: only in the full set"
        DIFFERENT = "different", "Different"
        EXTRA = "extra", "Extra: not in the full set, dropped"

    reconciliation = models.ForeignKey(
        Reconciliation, on_delete=models.CASCADE, related_name="differences"
    )
    full_file = models.ForeignKey(
        FullFile,
        on_delete=models.CASCADE,
        related_name="differences",
        null=True,
        help_text="the file of the set that has the record; empty for extra listings",
    )
    kind = models.CharField(max_length=9, choices=Kind)
    isin = models.CharField(max_length=12)
    mic = models.CharField(max_length=4)
    changes = models.JSONField(
        default=dict, help_text="by column what was there (old) and what the set says (new)"
    )

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["isin"], name="difference_isin_idx")]

    def __str__(self) -> str:
        return f"{self.isin}@{self.mic}: {self.kind}"
