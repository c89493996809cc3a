"""Instruments and listings as the API and the commands show them."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from instruments.api_fields import ExactDecimal
from instruments.classification.api import ClassificationSerializer
from instruments.listings.api import categories
from instruments.listings.history import Version
from instruments.listings.terms import Terms
from instruments.models import Instrument, Listing, Register
from marketdata.common.fields import ExactDecimalField


class InstrumentSerializer(serializers.ModelSerializer[Instrument]):
    """An instrument in a list."""

    category = serializers.CharField(help_text="CFI category, the first letter of the CFI code")

    class Meta:
        model = Instrument
        fields: tuple[str, ...] = (
            "isin",
            "full_name",
            "short_name",
            "cfi_code",
            "category",
            "notional_currency",
            "issuer_lei",
            "status",
            "mic",
            "register",
            "listing_count",
            "eu_listings",
            "uk_listings",
        )
        read_only_fields: tuple[str, ...] = fields


class _DroppedBy(serializers.CharField):
    """The complete full set that lacks a listing, by its last file."""

    def __init__(self) -> None:
        said = "last file of the full set that no longer holds an active listing"
        super().__init__(source="dropped_by.name", allow_null=True, read_only=True, help_text=said)


class ListingSerializer(serializers.ModelSerializer[Listing]):
    """An instrument on one venue: what differs between venues, and where it was read."""

    venue_name = serializers.CharField(
        allow_null=True, help_text="from the ISO 10383 list; null where it lacks the MIC"
    )
    source_file = serializers.CharField(source="source_file.name")
    dropped_by = _DroppedBy()

    class Meta:
        model = Listing
        fields = (
            "mic",
            "venue_name",
            "register",
            "status",
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
            "source_file",
            "source_position",
            "dropped_by",
        )
        read_only_fields = fields


class RecordSerializer(serializers.ModelSerializer[Listing]):
    """Every field of RTS 23 that ESMA has published of one listing."""

    source_file = serializers.CharField(source="source_file.name")
    dropped_by = _DroppedBy()

    class Meta:
        model = Listing
        exclude = ("id", "fingerprint", "change")

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        if isinstance(model_field, ExactDecimalField):
            return ExactDecimal, {"read_only": True, "allow_null": True}
        return super().build_standard_field(field_name, model_field)


class ChangeSerializer(serializers.Serializer[Any]):
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)


class VersionSerializer(serializers.Serializer[Any]):
    """One record of a listing, and what it changed in the one before."""

    mic = serializers.CharField(source="record.mic")
    venue_name = serializers.CharField(source="record.venue_name", allow_null=True)
    register = serializers.CharField(source="record.register")
    status = serializers.CharField(source="record.status")
    record_kind = serializers.CharField(source="record.record_kind")
    valid_from = serializers.DateField(source="record.valid_from")
    valid_to = serializers.DateField(
        allow_null=True,
        help_text="null: open; before valid_from: replaced from the start by a later record",
    )
    published_on = serializers.DateField(
        source="record.source_file.published_on", help_text="day of the file that first said it"
    )
    source_file = serializers.CharField(source="record.source_file.name")
    source_position = serializers.IntegerField(source="record.source_position")
    changes = serializers.SerializerMethodField(help_text="old and new value by field")

    @extend_schema_field(serializers.DictField(child=ChangeSerializer()))
    def get_changes(self, version: Version) -> dict[str, dict[str, Any]]:
        return {
            name: {"old": _plain(old), "new": _plain(new)}
            for name, (old, new) in version.changes.items()
        }


def _plain(value: Any) -> Any:
    """Decimals as the digits published, as everywhere."""
    return format(value, "f") if isinstance(value, Decimal) else value


class RegisterSerializer(serializers.Serializer[Any]):
    """Whose records are asked for."""

    register = serializers.ChoiceField(
        choices=Register.choices, required=False, help_text="ESMA (EU) or FCA (UK); both without"
    )


class WhenSerializer(RegisterSerializer):
    """The days that an instrument can be asked for, and the register."""

    as_of = serializers.DateField(required=False, help_text="what was valid on this day")
    known_on = serializers.DateField(
        required=False, help_text="what had been published by the end of this day"
    )


def today_of(when: Mapping[str, Any]) -> dict[str, dt.date]:
    """The context for a question of a day: that day is the one that days are counted from."""
    day = when.get("as_of") or when.get("known_on")
    return {"as_of": day} if day else {}


class InstrumentDetailSerializer(InstrumentSerializer):
    """An instrument with what its CFI code says, its terms and all its listings."""

    classification = ClassificationSerializer(
        allow_null=True, read_only=True, help_text="null where no record has a CFI code"
    )
    terms = serializers.SerializerMethodField(
        help_text="of the listing that speaks for it; each category has its own"
    )
    listings = ListingSerializer(many=True, read_only=True)

    class Meta(InstrumentSerializer.Meta):
        fields: tuple[str, ...] = (
            *InstrumentSerializer.Meta.fields,
            "classification",
            "terms",
            "listings",
        )
        read_only_fields: tuple[str, ...] = fields

    @extend_schema_field(categories.SCHEMA)
    def get_terms(self, instrument: Instrument) -> Any:
        """Days are counted from the day in the context, `as_of`; from today where there is none."""
        as_of = self.context.get("as_of") or timezone.now().date()
        return categories.shown(Terms(instrument.authoritative, instrument.category, as_of))
