from instruments.models.classification import CfiCode
from instruments.models.instrument import Instrument, InstrumentQuerySet
from instruments.models.listing import Listing, ListingQuerySet, ListingVersion
from instruments.models.record import ListingRecord, Register, Status
from instruments.models.transparency import (
    ResultQuerySet,
    ResultRecord,
    SubclassTransparency,
    Subject,
    TransparencyResult,
)
from instruments.models.venue import ListedVenue, Venue, VenueQuerySet

__all__ = [
    "CfiCode",
    "Instrument",
    "InstrumentQuerySet",
    "ListedVenue",
    "Listing",
    "ListingQuerySet",
    "ListingRecord",
    "ListingVersion",
    "Register",
    "ResultQuerySet",
    "ResultRecord",
    "Status",
    "SubclassTransparency",
    "Subject",
    "TransparencyResult",
    "Venue",
    "VenueQuerySet",
]
