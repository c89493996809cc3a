"""Legal entities in the API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from instruments.api_fields import Section, section, text
from instruments.entities.questions import read_successors
from instruments.models import EntityEvent, LegalEntity

_AFFECTED = range(1, 6)


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

    authority = text("validation_authority", help_text="code of GLEIF's list (RA000...)")
    authority_other = text("validation_authority_other")
    number = text("validation_number")


class RegistrationAuthoritySection(Section):
    """The register of companies that has the entity."""

    authority = text("registration_authority", help_text="code of GLEIF's list (RA000...)")
    authority_other = text("registration_authority_other")
    number = text("registration_number")


class ValidationAuthoritySection(Section):
    """The first authority by which the record was validated."""

    authority = text("validation_authority")
    authority_other = text("validation_authority_other")
    number = text("validation_number")


class AssociatedEntitySection(Section):
    """An entity that this one is associated with, as the manager of a fund."""

    type = text("associated_type")
    lei = text("associated_lei")
    name = text("associated_name")


class EntityAffectedFieldSerializer(serializers.Serializer[Any]):
    """An element of the record that an event changes."""

    path = text()
    value = text()


class EntityEventSerializer(serializers.Serializer[EntityEvent]):
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
    affected_fields = serializers.SerializerMethodField()

    @extend_schema_field(EntityAffectedFieldSerializer(many=True))
    def get_affected_fields(self, event: EntityEvent) -> list[dict[str, str | None]]:
        """Return the affected elements that the event names."""
        pairs = (
            (getattr(event, f"affected_path_{number}"), getattr(event, f"affected_value_{number}"))
            for number in _AFFECTED
        )
        return [{"path": path, "value": value} for path, value in pairs if path or value]


class EntitySuccessorSerializer(serializers.Serializer[Any]):
    """An entity that this one, or one of its successors, led to."""

    lei = text()
    name = text()
    of = serializers.CharField(help_text="LEI of the entity that names it")
    is_loaded = serializers.SerializerMethodField()

    def get_is_loaded(self, successor: Any) -> bool:
        """Return whether a loaded record has the LEI."""
        return successor.entity is not None


class EntitySerializer(serializers.ModelSerializer[LegalEntity]):
    """A legal entity in a list."""

    created_at = _time("creation of the entity")
    expired_at = _time("end of the entity")
    country = text("legal_address_country", help_text="country of the legal address")
    city = text("legal_address_city")

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
        )
        read_only_fields = fields


class EntityDetailSerializer(EntitySerializer):
    """A legal entity with everything of its level 1 record."""

    names = EntityNameSerializer(many=True, help_text="former, trading and transliterated names")
    legal_address = serializers.SerializerMethodField()
    headquarters_address = serializers.SerializerMethodField()
    other_addresses = serializers.SerializerMethodField()
    registration_authority = section(RegistrationAuthoritySection)
    validation_sources = text()
    validation_authority = section(ValidationAuthoritySection)
    other_validation_authorities = EntityAuthoritySerializer(many=True, source="authorities")
    associated_entity = section(AssociatedEntitySection)
    events = EntityEventSerializer(many=True)
    successors = serializers.SerializerMethodField()
    source_file = serializers.CharField(source="source_file.name")

    class Meta(EntitySerializer.Meta):
        fields = (
            *EntitySerializer.Meta.fields,
            "names",
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

    @extend_schema_field(EntityAddressSerializer)
    def get_legal_address(self, entity: LegalEntity) -> dict[str, Any]:
        """Return the legal address."""
        return describe_address(entity, "legal_address_")

    @extend_schema_field(EntityAddressSerializer)
    def get_headquarters_address(self, entity: LegalEntity) -> dict[str, Any]:
        """Return the address of the headquarters."""
        return describe_address(entity, "headquarters_")

    @extend_schema_field(EntityTypedAddressSerializer(many=True))
    def get_other_addresses(self, entity: LegalEntity) -> list[dict[str, Any]]:
        """Return the other and the transliterated addresses."""
        return [
            {"type": address.type, **describe_address(address)}
            for address in entity.addresses.all()
        ]

    @extend_schema_field(EntitySuccessorSerializer(many=True))
    def get_successors(self, entity: LegalEntity) -> Any:
        """Return the successors, and theirs in turn."""
        return EntitySuccessorSerializer(read_successors(entity), many=True).data


def describe_address(row: Any, prefix: str = "") -> dict[str, Any]:
    """Return an address of a row whose columns begin with `prefix`."""

    def value(name: str) -> Any:
        return getattr(row, prefix + name)

    lines = (value(f"{place}_line") for place in ("first", "second", "third", "fourth"))
    names = ("number", "number_within_building", "mail_routing")
    rest = ("city", "region", "country", "postal_code")
    return {
        "language": value("language"),
        "lines": [line for line in lines if line],
        **{name: value(name) for name in (*names, *rest)},
    }
