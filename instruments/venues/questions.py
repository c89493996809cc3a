"""Questions about venues: a venue by its MIC, counts by country, the list in numbers."""

import re
from collections import defaultdict
from typing import Any

from django.db.models import Count, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce

from instruments.corrected_records import correct, describe_corrections
from instruments.models import ListedVenue, Register, Venue, VenueQuerySet
from instruments.served_values import serve_venue
from marketdata.common.errors import InvalidQuery, NotInDatabase
from marketdata.common.numbers import format_count
from marketdata.common.plain import describe_columns

# The counts of listings: all of them, and those of each register.
COUNTS = ("listings", *(register.counted_in for register in Register))
COLUMNS = (*(field.name for field in Venue._meta.fields), *COUNTS)
LISTED_COLUMNS = ("mic", *COUNTS)
_MIC = re.compile("[A-Z0-9]{4}")
_ENDED = ("EXPIRED", "DELETED")


def with_listings() -> VenueQuerySet:
    """Return all venues, each with its counts of listings (`COUNTS`), as kept by the loads."""
    counted = ListedVenue.objects.filter(pk=OuterRef("pk")).order_by()
    return Venue.objects.annotate(
        **{
            name: Coalesce(Subquery(counted.values(name), output_field=IntegerField()), 0)
            for name in COUNTS
        }
    )


def get_venue(text: str, *, with_corrections: bool = True) -> Venue:
    """Return the venue of a MIC, in upper or lower case, with its counts of listings.

    Raises InvalidQuery for a malformed MIC and NotInDatabase for one that the list of venues lacks.
    """
    mic = text.upper()
    if not _MIC.fullmatch(mic):
        raise InvalidQuery("mic", f"{mic}: a MIC has four letters or digits.")
    venue = with_listings().filter(pk=mic).first()
    if venue is None:
        used = ListedVenue.objects.filter(pk=mic).first()
        hint = (
            f", although {format_count(used.listings, 'listing uses', 'listings use')} it"
            if used
            else ""
        )
        raise NotInDatabase(f"The loaded ISO 10383 list has no {mic}{hint}.")
    if with_corrections:
        correct([venue])
    return venue


def describe_venue(venue: Venue) -> dict[str, Any]:
    """Return a venue of `with_listings` as plain values."""
    return {**describe_columns(venue, COLUMNS), "corrections": describe_corrections(venue)}


def describe_listed_venue(listed: ListedVenue) -> dict[str, Any]:
    """Return a MIC that listings use, with its counts of listings."""
    return describe_columns(listed, LISTED_COLUMNS)


def count_by_country() -> list[dict[str, Any]]:
    """Return the number of venues, of active ones and of listings by country, in two queries.

    Reads the two small tables whole (some 3,000 venues, some 600 MICs in use): the cost does not depend on
    the number of listings.
    """
    by_country: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"venues": 0, "active": 0, **dict.fromkeys(COUNTS, 0)}
    )
    country_of = {}
    for mic, country, status in Venue.objects.order_by("country", "mic").values_list(
        "mic", serve_venue("country"), serve_venue("status")
    ):
        country_of[mic] = country
        by_country[country]["venues"] += 1
        by_country[country]["active"] += status not in _ENDED
    for listed in ListedVenue.objects.order_by("mic"):
        if listed.mic in country_of:
            for name in COUNTS:
                by_country[country_of[listed.mic]][name] += getattr(listed, name)
    return [{"country": country, **counts} for country, counts in sorted(by_country.items())]


def get_statistics() -> dict[str, Any]:
    """Return the list of venues in numbers, and the MICs of listings that it lacks, in seven queries."""

    def count_by(column: str) -> list[dict[str, Any]]:
        served = Venue.objects.annotate(served=serve_venue(column)).order_by("served")
        counted = served.values("served").annotate(venues=Count("pk"))
        return [{"value": row["served"], "venues": row["venues"]} for row in counted]

    venues = Venue.objects.all()
    return {
        "venues": venues.count(),
        "listed": venues.filter(pk__in=ListedVenue.objects.order_by().values("pk")).count(),
        "countries": venues.order_by().values("country").distinct().count(),
        "by_status": count_by("status"),
        "by_kind": count_by("kind"),
        "by_category": count_by("category"),
        "missing": [describe_listed_venue(listed) for listed in ListedVenue.objects.missing()],
    }
