"""Instruments on their venues: the newest records, and those that they superseded."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, models
from django.db.models import OuterRef, Q, Subquery
from django.utils.functional import cached_property

from esma_files.models import EsmaFile
from instruments.listings.models.change import ChangeSet
from instruments.listings.models.record import ListingRecord, Status
from instruments.served_values import serve_venue
from instruments.venues.models import Venue
from marketdata.common.prepared import PreparedQuery


class ListingQuerySet(models.QuerySet["Listing"]):
    def of(self, isin: str) -> "ListingQuerySet":
        """All listings of one instrument, by venue."""
        return self.filter(isin=isin).order_by("mic", "register")

    def with_venues(self) -> "ListingQuerySet":
        """With `venue_name`, from the ISO 10383 list; None where that lacks the MIC."""
        venues = Venue.objects.annotate(served_name=serve_venue())
        venue = venues.filter(pk=OuterRef("mic")).order_by()
        return self.annotate(venue_name=Subquery(venue.values("served_name")))


class Listing(ListingRecord):
    """The latest record of one instrument on one venue in one register.

    `dropped_by` is the last part of the first complete full set that should hold it and does not.
    """

    dropped_by = models.ForeignKey(
        EsmaFile,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        db_constraint=False,
        db_index=False,
    )

    # The transaction that wrote it last.
    change = models.ForeignKey(
        ChangeSet,
        on_delete=models.PROTECT,
        related_name="listings",
        db_constraint=False,
        db_index=False,
        default=ChangeSet.FIRST,
    )

    objects = ListingQuerySet.as_manager()

    class Meta:
        ordering = ["isin", "mic", "register"]
        constraints = [
            models.UniqueConstraint(fields=["isin", "mic", "register"], name="listing_once"),
        ]
        indexes = [
            models.Index(fields=["change"], name="listing_change_idx"),
            models.Index(
                fields=["maturity_date", "isin"],
                name="listing_maturity_idx",
                condition=Q(maturity_date__isnull=False),
            ),
            models.Index(
                fields=["expiry_date", "isin"],
                name="listing_expiry_idx",
                condition=Q(expiry_date__isnull=False),
            ),
            models.Index(
                fields=["first_trade_at", "isin"],
                name="listing_first_trade_idx",
                condition=Q(first_trade_at__isnull=False),
            ),
            models.Index(
                fields=["register", "cfi_code"],
                name="listing_active_idx",
                condition=Q(status=Status.ACTIVE),
            ),
            models.Index(
                fields=["dropped_by", "isin"],
                name="listing_dropped_idx",
                condition=Q(dropped_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.isin}@{self.mic}"

    @cached_property
    def published_values(self) -> dict[str, Any]:
        """The published values that corrections have replaced in this object, by column."""
        return {}


_COLUMNS = [field.attname for field in Listing._meta.concrete_fields]
_FILE_COLUMNS = ("id", "name", "published_on")
_LISTINGS_OF = PreparedQuery(
    lambda isins: (
        Listing.objects.of(isins[0])
        .with_venues()
        .values_list(
            *_COLUMNS,
            *(f"source_file__{column}" for column in _FILE_COLUMNS),
            *(f"dropped_by__{column}" for column in _FILE_COLUMNS),
            "venue_name",
        )
    )
)


def read_listings(isin: str) -> list[Listing]:
    """Return all listings of an instrument, by venue, with `venue_name`. One query.

    Of their source files, and of those that dropped them, name and day of publication are read.
    """
    listings = []
    for values in _LISTINGS_OF.read(isin):
        listing = Listing.from_db(DEFAULT_DB_ALIAS, _COLUMNS, values[: len(_COLUMNS)])
        *files, listing.venue_name = values[len(_COLUMNS) :]  # type: ignore[attr-defined]
        for name in ("source_file", "dropped_by"):
            columns, files = files[: len(_FILE_COLUMNS)], files[len(_FILE_COLUMNS) :]
            file = None
            if columns[0] is not None:
                file = EsmaFile.from_db(DEFAULT_DB_ALIAS, _FILE_COLUMNS, columns)
            field: Any = Listing._meta.get_field(name)
            field.set_cached_value(listing, file)
        listings.append(listing)
    return listings


class ListingVersion(ListingRecord):
    """A record that a later publication has superseded. A load never deletes a published record.

    `valid_to` is the day before the next version's `valid_from`: before its own `valid_from` where
    the next one replaced it from the start (ESMA65-8-5014, rules 3 and 4).
    """

    valid_to = models.DateField()

    class Meta:
        ordering = ["isin", "mic", "register", "-valid_from", "-pk"]
        indexes = [models.Index(fields=["isin", "mic", "register"], name="listing_version_idx")]

    def __str__(self) -> str:
        return f"{self.isin}@{self.mic} from {self.valid_from}"


class WithdrawnRecord(ListingRecord):
    """A record of a file that was republished without it.

    It counts as never published. It is kept only to answer what was known before `withdrawn_on`, the day on
    which the newer revision was created.
    """

    withdrawn_on = models.DateField()

    class Meta:
        ordering = ["isin", "mic", "register", "pk"]
        indexes = [models.Index(fields=["isin"], name="withdrawn_record_isin_idx")]

    def __str__(self) -> str:
        return f"{self.isin}@{self.mic} until {self.withdrawn_on}"
