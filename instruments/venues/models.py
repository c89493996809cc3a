"""Trading venues: the ISO 10383 list, and the MICs that listings use."""

from django.db import models
from django.db.models import Exists, OuterRef, Q


class VenueQuerySet(models.QuerySet["Venue"]):
    def search(self, words: str) -> "VenueQuerySet":
        """A MIC, or venues with every word in the name, acronym, operator or city."""
        found = self.all()
        for word in words.split():
            said = Q(mic__iexact=word)
            for column in ("name", "acronym", "legal_entity_name", "city"):
                said |= Q(**{f"{column}__icontains": word})
            found = found.filter(said)
        return found

    def segments_of(self, mic: str) -> "VenueQuerySet":
        """The market segments that an operating MIC has, itself left out."""
        return self.filter(operating_mic=mic).exclude(mic=mic)


class Venue(models.Model):
    """One row of the ISO 10383 list, all its 17 columns; expired ones too, for old records name them.

    Upper case and all else as published. A row is never deleted: a list that lacks it changes nothing.
    """

    class Kind(models.TextChoices):
        OPERATING = "OPRT", "Operating MIC"
        SEGMENT = "SGMT", "Market segment MIC"

    mic = models.CharField(max_length=4, primary_key=True)
    operating_mic = models.CharField(max_length=4, help_text="its own, if it is an operating MIC")
    kind = models.CharField(max_length=4, choices=Kind)
    name = models.CharField(max_length=350)
    legal_entity_name = models.CharField(max_length=350, blank=True)
    lei = models.CharField(max_length=20, blank=True, help_text="of the operator")
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
        max_length=200, blank=True, help_text="dates of which an old list says the month only"
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
        """MICs that listings use and the ISO 10383 list lacks."""
        return self.filter(~Exists(Venue.objects.filter(pk=OuterRef("pk"))))


class ListedVenue(models.Model):
    """A MIC that listings use, and how many; a load counts the listings that it adds.

    So that nobody has to count millions of rows.
    """

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
