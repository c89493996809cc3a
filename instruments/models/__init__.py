from instruments.models.change import ChangeSet
from instruments.models.classification import CfiCode
from instruments.models.instrument import Instrument, InstrumentQuerySet
from instruments.models.listing import Listing, ListingQuerySet, ListingVersion
from instruments.models.reconciliation import Difference, FullFile, Reconciliation
from instruments.models.record import ListingRecord, Register, Status
from instruments.models.scope import Scope
from instruments.models.transparency import (
    PublishedResult,
    ResultQuerySet,
    ResultRecord,
    SubclassTransparency,
    Subject,
    TransparencyResult,
)
from instruments.models.underlying import Link, Underlying
from instruments.models.venue import ListedVenue, Venue, VenueQuerySet
from instruments.models.volume_cap import VolumeCap, VolumeCapVenue

__all__ = [
    "CfiCode",
    "ChangeSet",
    "Difference",
    "FullFile",
    "Instrument",
    "InstrumentQuerySet",
    "Link",
    "ListedVenue",
    "Listing",
    "ListingQuerySet",
    "ListingRecord",
    "ListingVersion",
    "PublishedResult",
    "Reconciliation",
    "Register",
    "ResultQuerySet",
    "ResultRecord",
    "Scope",
    "Status",
    "SubclassTransparency",
    "Subject",
    "TransparencyResult",
    "Underlying",
    "Venue",
    "VenueQuerySet",
    "VolumeCap",
    "VolumeCapVenue",
]
