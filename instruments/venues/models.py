"""Trading venues: the ISO 10383 list, and the MICs that listings use."""

from collections.abc import Collection

from django.db import models
from django.db.models import Exists, OuterRef, Q

from instruments.correctable import CorrectableRow, CorrectionSubject
from instruments.served_values import is_served
from marketdata.common.batches import in_batches

# The market categories of trading venues (MiFID II, Article 4(1)(24)).
_TRADING_VENUES = ("RMKT", "MLTF", "OTFS")


class VenueQuerySet(models.QuerySet["Venue"]):
    def search(self, words: str) -> "VenueQuerySet":
        """Venues with every word as MIC or in the name, acronym, operator or city."""
        venues = self.all()
        for word in words.split():
            condition = Q(mic__iexact=word)
            for column in ("name", "acronym", "legal_entity_name", "city"):
                condition |= is_served(CorrectionSubject.VENUE, column, icontains=word)
            venues = venues.filter(condition)
        return venues

    def at(self, mic: str) -> "VenueQuerySet":
        """The venue of a MIC; of an operating MIC its market segments too."""
        return self.filter(Q(mic=mic) | Q(operating_mic=mic))

    def read_covered(self, mics: Collection[str]) -> dict[str, set[str]]:
        """Return the MICs that each MIC covers: itself, and the segments of an operating MIC.

        A MIC that the list of venues lacks covers itself. One query for each 500.
        """
        covered = {mic: {mic} for mic in mics}
        for batch in in_batches(sorted(covered)):
            segments = self.filter(operating_mic__in=batch).order_by()
            for operating_mic, mic in segments.values_list("operating_mic", "mic"):
                covered[operating_mic].add(mic)
        return covered

    def trading_venues(self) -> "VenueQuerySet":
        """Regulated markets, MTFs and OTFs, by the published category; no systematic internalisers."""
        return self.filter(category__in=_TRADING_VENUES)

    def with_known_operator(self) -> "VenueQuerySet":
        """Trading venues with the LEI of their operator.

        Without systematic internalisers, because most of them are banks that issue securities.
        """
        return self.trading_venues().exclude(lei="")

    def segments_of(self, mic: str) -> "VenueQuerySet":
        """The market segments of an operating MIC, without itself."""
        return self.filter(operating_mic=mic).exclude(mic=mic)


class Venue(CorrectableRow, models.Model):
    """A row of the ISO 10383 list of market identifier codes (MICs), with all its 17 columns.

    Texts are as published, in upper case. Expired venues stay, since old records name them, and so does a row
    that a later list lacks.
    """

    class Kind(models.TextChoices):
        OPERATING = "OPRT", "Operating MIC"
        SEGMENT = "SGMT", "Market segment MIC"

    mic = models.CharField(max_length=4, primary_key=True)
    operating_mic = models.CharField(max_length=4, help_text="the MIC itself for an operating MIC")
    kind = models.CharField(max_length=4, choices=Kind)
    name = models.CharField(max_length=350)
    legal_entity_name = models.CharField(max_length=350, blank=True)
    lei = models.CharField(max_length=20, blank=True, help_text="LEI of the operator")
    category = models.CharField(
        max_length=4, blank=True, help_text="market category, as RMKT, MLTF, OTFS or SINT"
    )
    acronym = models.CharField(max_length=100, blank=True)
    country = models.CharField(max_length=2, help_text="ISO 3166; ZZ where there is none")
    city = models.CharField(max_length=100, blank=True)
    website = models.CharField(max_length=350, blank=True)
    status = models.CharField(
        max_length=10, help_text="ACTIVE, UPDATED or EXPIRED; MODIFIED or DELETED in old lists"
    )
    created_on = models.DateField(null=True)
    updated_on = models.DateField(null=True)
    validated_on = models.DateField(null=True)
    expires_on = models.DateField(null=True)
    comments = models.TextField(blank=True)
    months = models.CharField(
        max_length=200, blank=True, help_text="dates for which an old list gives only the month"
    )

    objects = VenueQuerySet.as_manager()

    class Meta:
        ordering = ["mic"]
        indexes = [
            models.Index(fields=["operating_mic", "mic"], name="venue_operating_idx"),
            models.Index(fields=["country", "mic"], name="venue_country_idx"),
            models.Index(fields=["lei", "mic"], name="venue_lei_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.mic} {self.name}"


class ListedVenueQuerySet(models.QuerySet["ListedVenue"]):
    def missing(self) -> "ListedVenueQuerySet":
        """MICs of listings that the ISO 10383 list lacks."""
        return self.filter(~Exists(Venue.objects.filter(pk=OuterRef("pk"))))


class ListedVenue(models.Model):
    """The number of listings on a MIC, kept up to date by each load instead of counting millions of rows."""

    mic = models.CharField(max_length=4, primary_key=True)
    listings = models.PositiveIntegerField(help_text="of any status, in any register")
    eu_listings = models.PositiveIntegerField(default=0)
    uk_listings = models.PositiveIntegerField(default=0)

    objects = ListedVenueQuerySet.as_manager()

    class Meta:
        ordering = ["mic"]
        verbose_name = "MIC in use"
        verbose_name_plural = "MICs in use"

    def __str__(self) -> str:
        return self.mic
