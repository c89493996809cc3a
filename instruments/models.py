from instruments.classification.models import CfiCode
from instruments.data_versions import DataSubject, DataVersion
from instruments.enrichment.models import Coverage
from instruments.entities.models import (
    EntityAddress,
    EntityAuthority,
    EntityBic,
    EntityEvent,
    EntityName,
    EntityRelationship,
    EntitySuccessor,
    LegalEntity,
    LegalEntityQuerySet,
    MappedIssuer,
    MappedLei,
    RelationshipType,
    ReportingException,
)
from instruments.entities.requests import EntityRequest
from instruments.figis.models import Figi, FigiQuerySet, FigiRequest
from instruments.list_files.models import ListFile
from instruments.listings.models.change import ChangeSet
from instruments.listings.models.correction import (
    Correction,
    CorrectionQuerySet,
    CorrectionState,
)
from instruments.listings.models.count import InstrumentCount, TableCount
from instruments.listings.models.figure import Figure, FigureQuerySet, FigureSubject
from instruments.listings.models.instrument import Instrument, InstrumentQuerySet
from instruments.listings.models.listing import (
    Listing,
    ListingQuerySet,
    ListingVersion,
    WithdrawnRecord,
)
from instruments.listings.models.other_issuer import OtherIssuer
from instruments.listings.models.reconciliation import (
    Difference,
    FullFile,
    HeldListings,
    Reconciliation,
    ReplacedFullFile,
)
from instruments.listings.models.record import ListingRecord, Register, Status
from instruments.listings.models.scope import Scope
from instruments.listings.models.underlying import Link, Underlying
from instruments.listings.models.withdrawn_listing import WithdrawnListing
from instruments.profiles.models import OutputProfile, OutputProfileQuerySet
from instruments.published_results.models import PublishedResult, ResultFile, ResultQuerySet
from instruments.transparency.models import (
    ResultRecord,
    SubclassTransparency,
    Subject,
    TransparencyResult,
)
from instruments.venues.models import ListedVenue, Venue, VenueQuerySet
from instruments.volume_cap.models import VolumeCap, VolumeCapSuspension, VolumeCapVenue
from instruments.webhooks.models import Delivery, Webhook

__all__ = [
    "CfiCode",
    "ChangeSet",
    "Correction",
    "CorrectionQuerySet",
    "CorrectionState",
    "Coverage",
    "DataSubject",
    "DataVersion",
    "Delivery",
    "Difference",
    "EntityAddress",
    "EntityAuthority",
    "EntityBic",
    "EntityEvent",
    "EntityName",
    "EntityRelationship",
    "EntityRequest",
    "EntitySuccessor",
    "Figi",
    "FigiQuerySet",
    "FigiRequest",
    "Figure",
    "FigureQuerySet",
    "FigureSubject",
    "FullFile",
    "HeldListings",
    "Instrument",
    "InstrumentCount",
    "InstrumentQuerySet",
    "LegalEntity",
    "LegalEntityQuerySet",
    "Link",
    "ListFile",
    "ListedVenue",
    "Listing",
    "ListingQuerySet",
    "ListingRecord",
    "ListingVersion",
    "MappedIssuer",
    "MappedLei",
    "OtherIssuer",
    "OutputProfile",
    "OutputProfileQuerySet",
    "PublishedResult",
    "Reconciliation",
    "Register",
    "RelationshipType",
    "ReplacedFullFile",
    "ReportingException",
    "ResultFile",
    "ResultQuerySet",
    "ResultRecord",
    "Scope",
    "Status",
    "SubclassTransparency",
    "Subject",
    "TableCount",
    "TransparencyResult",
    "Underlying",
    "Venue",
    "VenueQuerySet",
    "VolumeCap",
    "VolumeCapSuspension",
    "VolumeCapVenue",
    "Webhook",
    "WithdrawnListing",
    "WithdrawnRecord",
]
