"""The fields of GLEIF's files: level 1 records (LEI-CDF 3.1).

As `listings/fields.py` for FIRDS. Elements of a record that repeat go into tables of their own: each is a
`Part`. The geocodes that GLEIF adds to addresses are counted, and not kept: docs/decisions/0058.
"""

import dataclasses

from esma_files.parsing.mapping import Group, Mapping
from instruments.fields import Field, Type, lei

_NAME, _CODE = 500, 100
# Elements of one name that follow each other in an address, or in the fields that an event affects.
_NUMBERED = ("AdditionalAddressLine", "AffectedField")
_MOST_AFFECTED = 5


def _text(column: str, path: str, max_length: int = _NAME) -> Field:
    return Field(column, path, Type.TEXT, max_length)


def _code(column: str, path: str) -> Field:
    return _text(column, path, _CODE)


def _language(column: str, path: str) -> Field:
    return _text(column, f"{path}/@lang", 20)


def _time(column: str, path: str) -> Field:
    return Field(column, path, Type.DATETIME)


def _address(path: str, prefix: str = "") -> tuple[Field, ...]:
    return (
        _language(f"{prefix}language", path),
        _text(f"{prefix}first_line", f"{path}/FirstAddressLine"),
        _text(f"{prefix}second_line", f"{path}/AdditionalAddressLine"),
        _text(f"{prefix}third_line", f"{path}/AdditionalAddressLine2"),
        _text(f"{prefix}fourth_line", f"{path}/AdditionalAddressLine3"),
        _text(f"{prefix}number", f"{path}/AddressNumber"),
        _text(f"{prefix}number_within_building", f"{path}/AddressNumberWithinBuilding"),
        _text(f"{prefix}mail_routing", f"{path}/MailRouting"),
        _text(f"{prefix}city", f"{path}/City"),
        _code(f"{prefix}region", f"{path}/Region"),
        _code(f"{prefix}country", f"{path}/Country"),
        _text(f"{prefix}postal_code", f"{path}/PostalCode"),
    )


def _authority(prefix: str, path: str, element: str) -> tuple[Field, ...]:
    """A registration or validation authority: its code, or its name, and the entity's number there."""
    return (
        _code(f"{prefix}_authority", f"{path}/{element}ID"),
        _text(f"{prefix}_authority_other", f"{path}/Other{element}ID"),
        _text(f"{prefix}_number", f"{path}/{element}EntityID"),
    )


ENTITY_FIELDS: tuple[Field, ...] = (
    lei("lei", "LEI", required=True, has_check_digits=True),
    Field("legal_name", "Entity/LegalName", Type.TEXT, _NAME, required=True),
    _language("legal_name_language", "Entity/LegalName"),
    *_address("Entity/LegalAddress", "legal_address_"),
    *_address("Entity/HeadquartersAddress", "headquarters_"),
    *_authority("registration", "Entity/RegistrationAuthority", "RegistrationAuthority"),
    _code("jurisdiction", "Entity/LegalJurisdiction"),
    _code("category", "Entity/EntityCategory"),
    _code("sub_category", "Entity/EntitySubCategory"),
    _code("legal_form", "Entity/LegalForm/EntityLegalFormCode"),
    _text("legal_form_other", "Entity/LegalForm/OtherLegalForm"),
    _code("associated_type", "Entity/AssociatedEntity/@type"),
    _code("associated_lei", "Entity/AssociatedEntity/AssociatedLEI"),
    _text("associated_name", "Entity/AssociatedEntity/AssociatedEntityName"),
    _code("entity_status", "Entity/EntityStatus"),
    _time("created_at", "Entity/EntityCreationDate"),
    _time("expired_at", "Entity/EntityExpirationDate"),
    _code("expiration_reason", "Entity/EntityExpirationReason"),
    _time("first_registered_at", "Registration/InitialRegistrationDate"),
    Field("last_updated_at", "Registration/LastUpdateDate", Type.DATETIME, required=True),
    _code("registration_status", "Registration/RegistrationStatus"),
    _time("next_renewal_at", "Registration/NextRenewalDate"),
    _code("managing_lou", "Registration/ManagingLOU"),
    _code("validation_sources", "Registration/ValidationSources"),
    *_authority("validation", "Registration/ValidationAuthority", "ValidationAuthority"),
)


@dataclasses.dataclass(frozen=True)
class Part:
    """Elements of a record that repeat, and the staging table that holds a row for each.

    `groups` are the elements around them; the paths of `fields` are below these. Several groups may have the
    same columns. `is_split` where the elements have no common parent, so that each of their children is read
    as a row.
    """

    table: str
    groups: dict[str, tuple[Field, ...]]
    paths: dict[str, str]
    is_split: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.column for field in next(iter(self.groups.values())))


def _names(element: str) -> tuple[Field, ...]:
    return (
        _code("type", f"{element}/@type"),
        _language("language", element),
        _text("name", element),
    )


def _typed_address(element: str) -> tuple[Field, ...]:
    return (_code("type", f"{element}/@type"), *_address(element))


_EVENT = "LegalEntityEvent"
_AFFECTED = tuple(
    field
    for number in range(1, _MOST_AFFECTED + 1)
    for name in [f"{_EVENT}/AffectedFields/AffectedField{'' if number == 1 else number}"]
    for field in (
        _text(f"affected_path_{number}", f"{name}/@field_xpath"),
        _text(f"affected_value_{number}", name),
    )
)
PARTS: tuple[Part, ...] = (
    Part(
        "entity_name",
        {
            "other_name": _names("OtherEntityName"),
            "transliterated_name": _names("TransliteratedOtherEntityName"),
        },
        {
            "other_name": "Entity/OtherEntityNames",
            "transliterated_name": "Entity/TransliteratedOtherEntityNames",
        },
    ),
    Part(
        "entity_address",
        {
            "other_address": _typed_address("OtherAddress"),
            "transliterated_address": _typed_address("TransliteratedOtherAddress"),
        },
        {
            "other_address": "Entity/OtherAddresses",
            "transliterated_address": "Entity/TransliteratedOtherAddresses",
        },
    ),
    Part(
        "entity_event",
        {
            "event": (
                _code("group_type", f"{_EVENT}/@group_type"),
                _code("status", f"{_EVENT}/@event_status"),
                _code("group_id", f"{_EVENT}/@group_id"),
                _code("group_sequence", f"{_EVENT}/@group_sequence_no"),
                _code("type", f"{_EVENT}/LegalEntityEventType"),
                _time("effective_at", f"{_EVENT}/LegalEntityEventEffectiveDate"),
                _time("recorded_at", f"{_EVENT}/LegalEntityEventRecordedDate"),
                _code("validation_documents", f"{_EVENT}/ValidationDocuments"),
                _text("validation_reference", f"{_EVENT}/ValidationReference", 1000),
                *_AFFECTED,
            )
        },
        {"event": "Entity/LegalEntityEvents"},
    ),
    Part(
        "entity_authority",
        {
            "authority": _authority(
                "validation", "OtherValidationAuthority", "ValidationAuthority"
            ),
        },
        {"authority": "Registration/OtherValidationAuthorities"},
    ),
    Part(
        "entity_successor",
        {
            "successor": (
                _code("successor_lei", "SuccessorLEI"),
                _text("successor_name", "SuccessorEntityName"),
            ),
        },
        {"successor": "Entity/SuccessorEntity"},
        is_split=True,
    ),
)
_GEOCODE = (
    *(
        "original_address",
        "relevance",
        "match_type",
        "lat",
        "lng",
        "geocoding_date",
        "bounding_box",
    ),
    *("match_level", "formatted_address", "mapped_location_id", "mapped_housenumber"),
    *("mapped_street", "mapped_postalcode", "mapped_city", "mapped_district", "mapped_state"),
    *("mapped_country", "geocoding_failed"),
)
_EXTENSION = Group(
    "extension",
    "Extension",
    (*(f"Geocoding/{name}" for name in _GEOCODE), "conformity/conformityflag"),
)
LEVEL_1_MAPPING = Mapping.of_kind(
    "LEI2",
    {"entity": "LEIRecord"},
    tuple(field.path for field in ENTITY_FIELDS),
    (
        *(
            Group(name, part.paths[name], tuple(f.path for f in fields), repeats=part.is_split)
            for part in PARTS
            for name, fields in part.groups.items()
        ),
        _EXTENSION,
    ),
    numbered=_NUMBERED,
    optional=("Extension",),
    unkept=("extension",),
)
