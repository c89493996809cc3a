"""The fields of GLEIF's level 2 files: relationships (RR-CDF 2.1) and reporting exceptions (RepEx 2.1)."""

from esma_files.parsing.mapping import Group, Mapping
from instruments.fields import Field, Type, lei

_TEXT, _CODE = 500, 100
_REGISTRATION = "Registration"


def _code(column: str, path: str, *, required: bool = False) -> Field:
    return Field(column, path, Type.TEXT, _CODE, required=required)


def _time(column: str, path: str, *, required: bool = False) -> Field:
    return Field(column, path, Type.DATETIME, required=required)


def _lei(column: str, path: str) -> Field:
    return lei(column, path, required=True, has_check_digits=True)


RELATIONSHIP_FIELDS: tuple[Field, ...] = (
    _lei("start_lei", "Relationship/StartNode/NodeID"),
    _code("start_type", "Relationship/StartNode/NodeIDType"),
    _lei("end_lei", "Relationship/EndNode/NodeID"),
    _code("end_type", "Relationship/EndNode/NodeIDType"),
    _code("type", "Relationship/RelationshipType", required=True),
    _code("status", "Relationship/RelationshipStatus"),
    _time("first_registered_at", f"{_REGISTRATION}/InitialRegistrationDate"),
    _time("last_updated_at", f"{_REGISTRATION}/LastUpdateDate", required=True),
    _code("registration_status", f"{_REGISTRATION}/RegistrationStatus"),
    _time("next_renewal_at", f"{_REGISTRATION}/NextRenewalDate"),
    _code("managing_lou", f"{_REGISTRATION}/ManagingLOU"),
    _code("validation_sources", f"{_REGISTRATION}/ValidationSources"),
    _code("validation_documents", f"{_REGISTRATION}/ValidationDocuments"),
    Field("validation_reference", f"{_REGISTRATION}/ValidationReference", Type.TEXT, 2000),
)
# Elements that a relationship may have several of. Each goes into a column, as a JSON list of objects.
LISTS: dict[str, tuple[Field, ...]] = {
    "periods": (
        _time("from", "RelationshipPeriod/StartDate"),
        _time("to", "RelationshipPeriod/EndDate"),
        _code("type", "RelationshipPeriod/PeriodType"),
    ),
    "qualifiers": (
        _code("dimension", "RelationshipQualifier/QualifierDimension"),
        _code("category", "RelationshipQualifier/QualifierCategory"),
    ),
    "quantifiers": (
        _code("method", "RelationshipQuantifier/MeasurementMethod"),
        _code("amount", "RelationshipQuantifier/QuantifierAmount"),
        _code("units", "RelationshipQuantifier/QuantifierUnits"),
    ),
}
PATHS_OF_LISTS = {name: f"Relationship/Relationship{name.capitalize()}" for name in LISTS}
RELATIONSHIP_MAPPING = Mapping.of_kind(
    "RR",
    {"relationship": "RelationshipRecord"},
    tuple(field.path for field in RELATIONSHIP_FIELDS),
    tuple(
        Group(name, PATHS_OF_LISTS[name], tuple(field.path for field in fields))
        for name, fields in LISTS.items()
    ),
)

_REASON, _REFERENCE = "ExceptionReason", "ExceptionReference"
EXCEPTION_FIELDS: tuple[Field, ...] = (
    _lei("lei", "LEI"),
    _code("category", "ExceptionCategory", required=True),
    _code("reason", _REASON),
    _code("second_reason", f"{_REASON}2"),
    _code("third_reason", f"{_REASON}3"),
    Field("reference", _REFERENCE, Type.TEXT, _TEXT),
    Field("second_reference", f"{_REFERENCE}2", Type.TEXT, _TEXT),
    Field("third_reference", f"{_REFERENCE}3", Type.TEXT, _TEXT),
)
EXCEPTION_MAPPING = Mapping.of_kind(
    "REPEX",
    {"exception": "Exception"},
    tuple(field.path for field in EXCEPTION_FIELDS),
    numbered=(_REASON, _REFERENCE),
    optional=("Extension",),
)
