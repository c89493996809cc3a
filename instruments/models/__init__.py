from instruments.models.instrument import CATEGORIES, Instrument, InstrumentQuerySet
from instruments.models.listing import Listing, ListingQuerySet, ListingVersion
from instruments.models.record import ListingRecord, Register, Status

__all__ = [
    "CATEGORIES",
    "Instrument",
    "InstrumentQuerySet",
    "Listing",
    "ListingQuerySet",
    "ListingRecord",
    "ListingVersion",
    "Register",
    "Status",
]
