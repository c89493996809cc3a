"""Serializers of legal entities.

They document the dictionaries of `instruments.entities.descriptions` for OpenAPI, and present entities by
those functions.
"""

from typing import Any

from rest_framework import serializers

from instruments.api_fields import CorrectedListSerializer, RecordCorrectionSerializer, text
from instruments.entities import descriptions
from instruments.models import LegalEntity


def _time(help_text: str | None = None) -> serializers.DateTimeField:
    return serializers.DateTimeField(allow_null=True, read_only=True, help_text=help_text)


class EntityAddressSerializer(serializers.Serializer[Any]):
    """An address, as published."""

    language = text()
    lines = serializers.ListField(child=serializers.CharField(), help_text="the lines in order")
    number = text()
    number_within_building = text()
    mail_routing = text()
    city = text()
    region = text(help_text="ISO 3166-2 code")
    country = text(help_text="ISO 3166 code")
    postal_code = text()


class EntityTypedAddressSerializer(EntityAddressSerializer):
    """An address besides those of the entity and its headquarters."""

    type = text()


class EntityNameSerializer(serializers.Serializer[Any]):
    """A name besides the legal one."""

    name = text()
    type = text(help_text="as PREVIOUS_LEGAL_NAME or AUTO_ASCII_TRANSLITERATED_LEGAL_NAME")
    language = text()


class EntityAuthoritySerializer(serializers.Serializer[Any]):
    """An authority that has the entity in its register, and the number of the entity there."""

    authority = text(help_text="code of GLEIF's list (RA000...)")
    authority_other = text()
    number = text()


class RegistrationAuthoritySection(serializers.Serializer[Any]):
    """The register of companies that has the entity."""

    authority = text(help_text="code of GLEIF's list (RA000...)")
    authority_other = text()
    number = text()


class ValidationAuthoritySection(serializers.Serializer[Any]):
    """The first authority by which the record was validated."""

    authority = text()
    authority_other = text()
    number = text()


class AssociatedEntitySection(serializers.Serializer[Any]):
    """An entity that this one is associated with, as the manager of a fund."""

    type = text()
    lei = text()
    name = text()


class EntityAffectedFieldSerializer(serializers.Serializer[Any]):
    """An element of the record that an event changes."""

    path = text()
    value = text()


class EntityEventSerializer(serializers.Serializer[Any]):
    """A legal entity event, as a merger or a change of name."""

    type = text()
    status = text()
    effective_at = _time()
    recorded_at = _time()
    group_type = text()
    group_id = text()
    group_sequence = text()
    validation_documents = text()
    validation_reference = text()
    affected_fields = EntityAffectedFieldSerializer(many=True, read_only=True)


class EntitySuccessorSerializer(serializers.Serializer[Any]):
    """An entity that this one, or one of its successors, led to."""

    lei = text()
    name = text()
    predecessor_lei = serializers.CharField(help_text="the entity that names it")
    is_loaded = serializers.BooleanField(
        read_only=True, help_text="true if a loaded record has the LEI"
    )


class EntitySerializer(serializers.ModelSerializer[LegalEntity]):
    """A legal entity in a list."""

    corrections = RecordCorrectionSerializer(
        many=True, read_only=True, help_text="Corrections that apply; none with corrections=off"
    )

    created_at = _time("creation of the entity")
    expired_at = _time("end of the entity")
    country = text(help_text="country of the legal address")
    city = text()

    class Meta:
        model = LegalEntity
        fields: tuple[str, ...] = (
            "lei",
            "legal_name",
            "legal_name_language",
            "jurisdiction",
            "country",
            "city",
            "category",
            "sub_category",
            "legal_form",
            "legal_form_other",
            "entity_status",
            "registration_status",
            "created_at",
            "expired_at",
            "expiration_reason",
            "first_registered_at",
            "last_updated_at",
            "next_renewal_at",
            "managing_lou",
            "corrections",
        )
        read_only_fields = fields
        list_serializer_class = CorrectedListSerializer

    def to_representation(self, instance: LegalEntity) -> Any:
        return descriptions.describe_entity(instance)


class EntityDetailSerializer(EntitySerializer):
    """A legal entity with everything of its level 1 record, and its BICs."""

    names = EntityNameSerializer(many=True, help_text="former, trading and transliterated names")
    bics = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="business identifier codes (ISO 9362), by GLEIF's BIC-LEI file",
    )
    legal_address = EntityAddressSerializer(read_only=True)
    headquarters_address = EntityAddressSerializer(read_only=True)
    other_addresses = EntityTypedAddressSerializer(many=True, read_only=True)
    registration_authority = RegistrationAuthoritySection(allow_null=True, read_only=True)
    validation_sources = text()
    validation_authority = ValidationAuthoritySection(allow_null=True, read_only=True)
    other_validation_authorities = EntityAuthoritySerializer(many=True)
    associated_entity = AssociatedEntitySection(allow_null=True, read_only=True)
    events = EntityEventSerializer(many=True)
    successors = EntitySuccessorSerializer(many=True, read_only=True)
    source_file = serializers.CharField(
        help_text="file, or golden copy that the API of GLEIF answered from (...-gleif-api)"
    )

    class Meta(EntitySerializer.Meta):
        fields = (
            *EntitySerializer.Meta.fields,
            "names",
            "bics",
            "legal_address",
            "headquarters_address",
            "other_addresses",
            "registration_authority",
            "validation_sources",
            "validation_authority",
            "other_validation_authorities",
            "associated_entity",
            "events",
            "successors",
            "source_file",
            "source_position",
        )
        read_only_fields = fields

    def to_representation(self, instance: LegalEntity) -> Any:
        return descriptions.describe_entity_details(instance)
