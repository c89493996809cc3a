"""Serializers of instruments in a list with the parts that `include` names."""

from typing import Any

from rest_framework import serializers

from instruments.listings import included
from instruments.listings.api.serializers import InstrumentSerializer, ListingSerializer


class IncludedIssuerSerializer(serializers.Serializer[Any]):
    """The published issuer with its record by GLEIF; null where GLEIF's files lack the LEI."""

    lei = serializers.CharField()
    legal_name = serializers.CharField(allow_null=True)
    legal_address_country = serializers.CharField(allow_null=True)
    entity_status = serializers.CharField(allow_null=True)
    registration_status = serializers.CharField(allow_null=True)


class IncludedFigiSerializer(serializers.Serializer[Any]):
    """A current FIGI."""

    figi = serializers.CharField()
    composite_figi = serializers.CharField(allow_null=True)
    share_class_figi = serializers.CharField(allow_null=True)
    ticker = serializers.CharField(allow_null=True)
    exchange_code = serializers.CharField(allow_null=True)
    mic = serializers.CharField(allow_null=True)
    security_type = serializers.CharField(allow_null=True)
    market_sector = serializers.CharField(allow_null=True)


class IncludedTransparencySerializer(serializers.Serializer[Any]):
    """The liquidity today by the published result that applies, and why it does."""

    liquid = serializers.BooleanField(allow_null=True)
    why = serializers.CharField()
    applies_from = serializers.DateField(allow_null=True)
    applies_to = serializers.DateField(allow_null=True)
    source_file = serializers.CharField(allow_null=True)
    published_on = serializers.DateField(allow_null=True)


class IncludedVenueSerializer(serializers.Serializer[Any]):
    """The venue of the reference listing, by the list of venues (ISO 10383)."""

    mic = serializers.CharField()
    name = serializers.CharField()
    operating_mic = serializers.CharField()
    country = serializers.CharField()
    category = serializers.CharField()
    status = serializers.CharField()
    lei = serializers.CharField()


class ListedInstrumentSerializer(InstrumentSerializer):
    """An instrument in a list, with the parts that `include` names."""

    listings = ListingSerializer(many=True, required=False, help_text="With include=listings")
    issuer = IncludedIssuerSerializer(
        required=False, allow_null=True, help_text="With include=issuer; null if none is published"
    )
    figis = IncludedFigiSerializer(many=True, required=False, help_text="With include=figis")
    transparency = IncludedTransparencySerializer(
        required=False,
        allow_null=True,
        help_text="With include=transparency; null where ESMA has published no result",
    )
    venue = IncludedVenueSerializer(
        required=False,
        allow_null=True,
        help_text="With include=venue; null if the list of venues lacks the MIC",
    )

    class Meta(InstrumentSerializer.Meta):
        fields: tuple[str, ...] = (*InstrumentSerializer.Meta.fields, *included.PARTS)
        read_only_fields: tuple[str, ...] = InstrumentSerializer.Meta.fields
