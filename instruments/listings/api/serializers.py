"""Serializers of instruments and listings.

They document the dictionaries of `instruments.listings.descriptions` for OpenAPI, and present objects
by those functions.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from instruments.api_fields import ExactDecimal, RecordCorrectionSerializer
from instruments.classification.api import ClassificationSerializer
from instruments.entities.mapped_issuers import Comparison
from instruments.listings import descriptions, included
from instruments.listings.api.terms import SCHEMA as TERMS
from instruments.listings.history import Basis
from instruments.listings.lookup import LookupStatus
from instruments.listings.status import EffectiveStatus
from instruments.models import Instrument, Link, Listing, Register
from marketdata.common.fields import ExactDecimalField

_EFFECTIVE = (
    "Status on the day of the question (today by default): the published one, unless a termination,"
    " expiry or maturity date has passed"
)
_FILE = "File in which the record was first published"
_POSITION = "Position of the record in the file; 1 is the first"
_PUBLISHED_ON = "Publication day of the file"


class _InstrumentListSerializer(serializers.ListSerializer[Any]):
    """Presents the instruments of a page together, so that the number of queries is fixed."""

    def to_representation(self, data: Any) -> Any:
        with_corrections = self.context.get("with_corrections", True)
        rows = descriptions.describe_instruments(data, with_corrections=with_corrections)
        parts = self.context.get("include", ())
        included.add(rows, parts, with_corrections=with_corrections)
        return rows


class AppliedCorrectionSerializer(RecordCorrectionSerializer):
    """A correction of listings, with the register and the venues where it applies."""

    register = serializers.ChoiceField(choices=Register.choices)
    mics = serializers.ListField(
        child=serializers.CharField(), help_text="Venues of the listings to which it applies"
    )


class InstrumentSerializer(serializers.ModelSerializer[Instrument]):
    """An instrument in a list."""

    category = serializers.CharField(help_text="CFI category, the first letter of the CFI code")
    issuer_lei = serializers.CharField(
        help_text="LEI of the issuer; empty if none is published or if it is a venue operator's"
    )
    operator_lei = serializers.CharField(
        help_text="The LEI published as issuer, if the list of venues has it as that of the operator of a"
        " trading venue (a regulated market, MTF or OTF); else empty"
    )
    effective_status = serializers.ChoiceField(
        choices=EffectiveStatus.choices, help_text=_EFFECTIVE
    )
    corrections = AppliedCorrectionSerializer(
        many=True, help_text="Corrections that apply to these values"
    )

    class Meta:
        model = Instrument
        list_serializer_class: type[serializers.ListSerializer[Any]] = _InstrumentListSerializer
        fields: tuple[str, ...] = (
            "isin",
            "full_name",
            "short_name",
            "cfi_code",
            "category",
            "notional_currency",
            "issuer_lei",
            "operator_lei",
            "status",
            "effective_status",
            "mic",
            "register",
            "listing_count",
            "eu_listings",
            "uk_listings",
            "corrections",
        )
        read_only_fields: tuple[str, ...] = fields
        extra_kwargs = {
            "status": {"help_text": "Published status of the reference listing"},
            "mic": {"help_text": "Venue of the reference listing"},
            "register": {"help_text": "Register of the reference listing"},
        }

    def to_representation(self, instance: Instrument) -> Any:
        with_corrections = self.context.get("with_corrections", True)
        return descriptions.describe_instruments([instance], with_corrections=with_corrections)[0]


class ProvenanceSerializer(serializers.Serializer[Any]):
    """The reason why a record answers the question, and where it was published."""

    basis = serializers.ChoiceField(
        choices=[basis.value for basis in Basis],
        help_text="newest_record, valid_on_day, or earliest_known: the day is before the first record"
        " known, so the values are those of that record",
    )
    rule = serializers.CharField(help_text="The basis in a sentence")
    source_file = serializers.CharField(help_text=_FILE)
    source_position = serializers.IntegerField(help_text=_POSITION)
    published_on = serializers.DateField(help_text=_PUBLISHED_ON)


class VenueOfListingSerializer(serializers.Serializer[Any]):
    """The venue and register of a listing."""

    mic = serializers.CharField(help_text="MIC of the venue")
    venue_name = serializers.CharField(
        allow_null=True,
        help_text="Name in the list of venues (ISO 10383); null if it lacks the MIC",
    )
    register = serializers.ChoiceField(choices=Register.choices)


class MostRelevantMarketSerializer(VenueOfListingSerializer):
    """The relevant trading venue (RlvntTradgVn): the most relevant market in terms of liquidity."""

    is_listed = serializers.BooleanField(help_text="True if a listing on this venue is known")


class IssuerSerializer(serializers.Serializer[Any]):
    """The issuer, or the operator of a venue that is published instead of it."""

    lei = serializers.CharField(
        allow_null=True, help_text="LEI of the issuer; null if the published LEI is an operator's"
    )
    published_lei = serializers.CharField(
        help_text="The published value (RTS 23 field 5: issuer or operator of the trading venue)"
    )
    is_venue_operator = serializers.BooleanField(
        help_text="True if the list of venues has this LEI as that of the operator of a trading venue"
    )
    operator_name = serializers.CharField(
        allow_null=True, help_text="Name of the operator in the list of venues"
    )
    operated_venues = serializers.ListField(child=serializers.CharField(), help_text="Their MICs")
    note = serializers.CharField(allow_null=True, help_text="Explains a venue operator's LEI")


class IssuerByGleifSerializer(serializers.Serializer[Any]):
    """The issuer by GLEIF's ISIN-LEI file, compared with the LEI that FIRDS publishes."""

    lei = serializers.CharField(help_text="LEI of the issuer by GLEIF")
    legal_name = serializers.CharField(
        allow_null=True, help_text="Null if no level 1 record of the LEI is loaded"
    )
    comparison = serializers.ChoiceField(
        choices=list(Comparison),
        help_text="same; different; venue_operator: FIRDS has the LEI of the operator of the venue, as for"
        " exchange-traded derivatives; not_published: FIRDS has no LEI",
    )
    note = serializers.CharField(allow_null=True, help_text="Explains a difference")
    source_file = serializers.CharField(help_text="First file of GLEIF with this pair")
    published_on = serializers.DateField(help_text="Day of that file")


def _dropped_by() -> serializers.CharField:
    return serializers.CharField(
        allow_null=True,
        read_only=True,
        help_text="Last file of the complete full set that lacks this active listing",
    )


class ListingSerializer(serializers.ModelSerializer[Listing]):
    """An instrument on one venue: the values that differ between venues, and their source."""

    venue_name = VenueOfListingSerializer._declared_fields["venue_name"]
    effective_status = serializers.ChoiceField(
        choices=EffectiveStatus.choices, help_text=_EFFECTIVE
    )
    basis = ProvenanceSerializer._declared_fields["basis"]
    rule = ProvenanceSerializer._declared_fields["rule"]
    source_file = serializers.CharField(help_text=_FILE)
    published_on = serializers.DateField(help_text=_PUBLISHED_ON)
    dropped_by = _dropped_by()

    class Meta:
        model = Listing
        fields = (
            "mic",
            "venue_name",
            "register",
            "status",
            "effective_status",
            "full_name",
            "short_name",
            "issuer_requested",
            "admission_approved_at",
            "admission_requested_at",
            "first_trade_at",
            "terminated_at",
            "valid_from",
            "competent_authority",
            "relevant_venue",
            "never_published",
            "record_kind",
            "basis",
            "rule",
            "source_file",
            "source_position",
            "published_on",
            "dropped_by",
        )
        read_only_fields = fields
        extra_kwargs = {"status": {"help_text": "Published status; with `as_of`, on that day"}}


class RecordSerializer(serializers.ModelSerializer[Listing]):
    """Every published field of one listing (RTS 23), by column."""

    source_file = serializers.CharField(help_text=_FILE)
    dropped_by = _dropped_by()

    class Meta:
        model = Listing
        exclude = ("id", "fingerprint", "change")
        extra_kwargs = {
            "issuer_lei": {"help_text": "RTS 23 field 5 as published: issuer or venue operator"}
        }

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        if isinstance(model_field, ExactDecimalField):
            return ExactDecimal, {"read_only": True, "allow_null": True}
        return super().build_standard_field(field_name, model_field)

    def to_representation(self, instance: Listing) -> Any:
        return descriptions.describe_record(instance)


class ChangeSerializer(serializers.Serializer[Any]):
    """The value of a field before and after a change."""

    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)


class CorrectionInUseSerializer(serializers.Serializer[Any]):
    """A correction beside a record as published."""

    number = serializers.IntegerField()
    field = serializers.CharField(help_text="Column of the record")
    published = serializers.JSONField(allow_null=True, help_text="The value that it expects")
    value = serializers.JSONField(allow_null=True, help_text="The value that is served instead")
    state = serializers.CharField(help_text="State of the correction")
    reason = serializers.CharField()
    approved_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True, help_text="null while it is in use")


class VersionSerializer(VenueOfListingSerializer):
    """A record of a listing, the days on which it was valid, and what it changed."""

    status = serializers.CharField(help_text="Published status by this record")
    record_kind = serializers.CharField(help_text="full, new, modified, terminated or cancelled")
    valid_from = serializers.DateField(help_text="First day in the register")
    valid_to = serializers.DateField(
        allow_null=True,
        help_text="Last day in the register; null if it is open-ended, or if `was_valid` is false",
    )
    was_valid = serializers.BooleanField(
        help_text="False if the record was never valid: cancelled, replaced from its first day, or a"
        " termination without a publication period"
    )
    rule = serializers.CharField(help_text="The reason for the end of the validity")
    published_on = serializers.DateField(help_text=_PUBLISHED_ON)
    source_file = serializers.CharField(help_text=_FILE)
    source_position = serializers.IntegerField(help_text=_POSITION)
    changes = serializers.DictField(
        child=ChangeSerializer(), help_text="Old and new value by column"
    )
    corrections = CorrectionInUseSerializer(
        many=True, help_text="Approved corrections that replace a value of this record, or did"
    )


class InstrumentDetailSerializer(InstrumentSerializer):
    """An instrument with its classification, its terms and all its listings."""

    as_of = serializers.DateField(allow_null=True, help_text="The parameter `as_of`")
    known_on = serializers.DateField(allow_null=True, help_text="The parameter `known_on`")
    basis = ProvenanceSerializer._declared_fields["basis"]
    rule = ProvenanceSerializer._declared_fields["rule"]
    source_file = serializers.CharField(help_text="File of the reference listing's record")
    source_position = serializers.IntegerField(help_text=_POSITION)
    published_on = serializers.DateField(help_text=_PUBLISHED_ON)
    reference_listing = VenueOfListingSerializer(
        help_text="The listing whose names and terms are shown: an active one first, then that on the"
        " relevant trading venue, then the earliest first trade"
    )
    most_relevant_market = MostRelevantMarketSerializer(allow_null=True)
    issuer_requested_listings = VenueOfListingSerializer(
        many=True, help_text="Listings for whose admission the issuer asked (RTS 23 field 8)"
    )
    issuer = IssuerSerializer(allow_null=True)
    issuer_by_gleif = IssuerByGleifSerializer(
        allow_null=True, help_text="Null where GLEIF's file lacks the ISIN, or none is loaded"
    )
    classification = ClassificationSerializer(
        allow_null=True, help_text="Meaning of the CFI code; null if no record has one"
    )
    terms = serializers.SerializerMethodField(
        help_text="Terms of the reference listing; each CFI category has its own"
    )
    listings = ListingSerializer(many=True)

    class Meta(InstrumentSerializer.Meta):
        fields: tuple[str, ...] = (
            *InstrumentSerializer.Meta.fields,
            "as_of",
            "known_on",
            *ProvenanceSerializer._declared_fields,
            "reference_listing",
            "most_relevant_market",
            "issuer_requested_listings",
            "issuer",
            "issuer_by_gleif",
            "classification",
            "terms",
            "listings",
        )
        read_only_fields: tuple[str, ...] = fields

    @extend_schema_field(TERMS)
    def get_terms(self, instrument: Instrument) -> Any:
        """Documented here; presented by `describe_instrument`."""


class DerivativeSerializer(InstrumentSerializer):
    """An instrument, and the way in which it names the underlying."""

    link = serializers.ChoiceField(
        choices=[str(link.label) for link in Link],
        help_text="single, index, rate (of an interest-rate derivative) or basket; the closest of these",
    )

    class Meta(InstrumentSerializer.Meta):
        list_serializer_class = serializers.ListSerializer
        fields = (*InstrumentSerializer.Meta.fields, "link")
        read_only_fields = fields


class UnderlyingSerializer(serializers.Serializer[Any]):
    """One underlying of an instrument."""

    link = serializers.ChoiceField(choices=[str(link.label) for link in Link])
    isin = serializers.CharField(allow_null=True)
    lei = serializers.CharField(allow_null=True, help_text="LEI, if the underlying is an issuer")
    name = serializers.CharField(
        allow_null=True, help_text="Name of the instrument if it is known here, else as published"
    )
    known = serializers.BooleanField(help_text="True if the loaded files have it as an instrument")
    venues = serializers.ListField(
        child=serializers.CharField(), help_text="MICs of the listings that name it"
    )


class VenueAnswerSerializer(VenueOfListingSerializer):
    """The answer for one listing on the day."""

    reportable = serializers.BooleanField()
    traded = serializers.BooleanField(
        help_text="False between a request for admission to trading and the first trade"
    )
    reason = serializers.CharField(help_text="As: first traded 2020-11-20, not terminated")
    status = serializers.CharField(help_text="Published status of the newest record")
    admission_requested_at = serializers.DateTimeField(allow_null=True)
    admission_approved_at = serializers.DateTimeField(allow_null=True)
    first_trade_at = serializers.DateTimeField(allow_null=True)
    terminated_at = serializers.DateTimeField(allow_null=True)
    valid_from = serializers.DateField(help_text="Start of the record's publication period")
    basis = serializers.ChoiceField(
        choices=[basis.value for basis in Basis],
        help_text="earliest_known if the day is before the first record known of the listing",
    )
    source_file = serializers.CharField(help_text=_FILE)
    source_position = serializers.IntegerField(help_text=_POSITION)
    published_on = serializers.DateField(help_text=_PUBLISHED_ON)


class ReportabilitySerializer(serializers.Serializer[Any]):
    """The reportability of an instrument on a day (MiFIR, Article 26), by venue."""

    isin = serializers.CharField()
    on = serializers.DateField()
    known_on = serializers.DateField(allow_null=True)
    reportable = serializers.BooleanField()
    reason = serializers.CharField(help_text="The answer in a sentence")
    rule = serializers.CharField()
    venues = VenueAnswerSerializer(many=True, help_text="Listings on which it was reportable")
    other_venues = VenueAnswerSerializer(many=True, help_text="The other listings, with the reason")
    traded_underlyings = serializers.ListField(
        child=serializers.CharField(),
        help_text="ISINs of underlyings traded on a trading venue on the day: if the instrument still"
        " existed, a transaction in it off venue was reportable (Article 26(2)(b) and (c)). Only of one that"
        " had ended on all venues without having expired; not of indices; of the first 20 of a basket",
    )


class LookupResultSerializer(serializers.Serializer[Any]):
    """The outcome for one ISIN, FIGI or ticker of a list."""

    isin = serializers.CharField(help_text="the ISIN, FIGI or ticker as requested, in upper case")
    status = serializers.ChoiceField(
        choices=[status.value for status in LookupStatus],
        help_text="found; excluded by the other filters; unknown: in no loaded file; invalid: not an ISIN",
    )
    reason = serializers.CharField(allow_null=True, help_text="null if it was found")
    instrument_isin = serializers.CharField(
        allow_null=True, help_text="ISIN of the instrument; null if it was not found"
    )
