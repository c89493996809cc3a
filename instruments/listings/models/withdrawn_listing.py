"""Listings that were deleted: the changes feed tells of them."""

from django.db import models

from esma_files.models import EsmaFile
from instruments.listings.models.change import ChangeSet
from instruments.listings.models.record import Register, Status, text


class WithdrawnListing(models.Model):
    """A listing that was deleted, because no file publishes a record of it any more.

    The key is that of the deleted row, whose place in the changes feed it takes. If a file publishes the
    listing later, that is a new row with another key. `source_file` is the file that has published it: it was
    published again without the listing, or its load was interrupted. All other values are as they were last.
    """

    listing_id = models.BigIntegerField(primary_key=True)
    isin = models.CharField(max_length=12)
    mic = models.CharField(max_length=4)
    register = models.CharField(max_length=5, choices=Register)
    status = models.CharField(max_length=10, choices=Status)
    valid_from = models.DateField()
    source_file = models.ForeignKey(
        EsmaFile, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    source_position = models.PositiveIntegerField()
    cfi_code = text(6)
    change = models.ForeignKey(
        ChangeSet,
        on_delete=models.PROTECT,
        related_name="withdrawn_listings",
        db_constraint=False,
        db_index=False,
    )

    class Meta:
        ordering = ["change", "listing_id"]
        indexes = [models.Index(fields=["change", "listing_id"], name="withdrawn_listing_idx")]

    def __str__(self) -> str:
        return f"{self.isin}@{self.mic}"
