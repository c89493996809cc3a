"""Records of GLEIF's API as batches of the form in which the readers of files yield records.

So they are checked, staged and merged as records of golden copies are. Each function below returns the values
of one object by the path of the element that holds the same in XML (`instruments.entities.fields`). The
recorded answers have neither the type of an associated entity, nor numbers of event groups, nor fields that
events affect; these are missing until a golden copy is loaded.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from esma_files.parsing.mapping import Group, Mapping
from esma_files.parsing.reader import Batch

Json = dict[str, Any]
Values = dict[str, str | None]

_LINES = (
    "FirstAddressLine",
    "AdditionalAddressLine",
    "AdditionalAddressLine2",
    "AdditionalAddressLine3",
)
_ADDRESS = {
    "@lang": "language",
    "AddressNumber": "addressNumber",
    "AddressNumberWithinBuilding": "addressNumberWithinBuilding",
    "MailRouting": "mailRouting",
    "City": "city",
    "Region": "region",
    "Country": "country",
    "PostalCode": "postalCode",
}
_REGISTRATION = {
    "InitialRegistrationDate": "initialRegistrationDate",
    "LastUpdateDate": "lastUpdateDate",
    "RegistrationStatus": "status",
    "NextRenewalDate": "nextRenewalDate",
    "ManagingLOU": "managingLou",
    "ValidationSources": "corroborationLevel",
    "ValidationDocuments": "corroborationDocuments",
    "ValidationReference": "corroborationReference",
}


def batches_of(kind: str, mapping: Mapping, objects: list[Json]) -> Iterator[Batch]:
    """Yield the batches of objects of the API, of a kind of file: LEI2, RR or REPEX.

    Values that the mapping has no element for are left out.
    """
    read, read_groups = _READERS[kind]
    attributes = [row["attributes"] for row in objects]
    [name] = mapping.records
    places = np.arange(len(attributes), dtype=np.int64)
    yield _batch(name, "", mapping.leaves, list(map(read, attributes)), places)
    for group in mapping.groups:
        rows = [
            (place, values)
            for place, row in enumerate(attributes)
            for values in read_groups.get(group.name, _no_rows)(row)
        ]
        if rows:
            yield _group_batch(name, group, rows)


def _group_batch(name: str, group: Group, rows: list[tuple[int, Values]]) -> Batch:
    places = np.array([place for place, _ in rows], dtype=np.int64)
    return _batch(name, group.name, group.leaves, [values for _, values in rows], places)


def _batch(
    name: str, group: str, leaves: tuple[str, ...], rows: list[Values], places: np.ndarray
) -> Batch:
    columns = [pa.array([row.get(leaf) for row in rows], pa.string()) for leaf in leaves]
    return Batch(
        name,
        group,
        pa.RecordBatch.from_arrays(columns, names=list(leaves)),
        places,
        np.ones(len(rows), dtype=bool),  # each row is an element of its own
    )


def _no_rows(row: Json) -> list[Values]:
    return []


def _text(value: Any) -> str | None:
    """Return a value as the text that an element would have; None for an empty one."""
    return None if value is None or value == "" else str(value)


def _object(row: Json, name: str) -> Json:
    value = row.get(name)
    return value if isinstance(value, dict) else {}


def _objects(row: Json, name: str) -> list[Json]:
    value = row.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _renamed(path: str, row: Json, names: dict[str, str]) -> Values:
    """Return the values of an object below a path; `names` has the name in the API of each element."""
    return {f"{path}/{element}": _text(row.get(name)) for element, name in names.items()}


def _authority(path: str, element: str, row: Json, at: str, number: str) -> Values:
    authority = _object(row, at)
    return {
        f"{path}/{element}ID": _text(authority.get("id")),
        f"{path}/Other{element}ID": _text(authority.get("other")),
        f"{path}/{element}EntityID": _text(row.get(number)),
    }


def _address(path: str, row: Json) -> Values:
    lines = [text for text in map(_text, row.get("addressLines") or []) if text]
    return {
        **_renamed(path, row, _ADDRESS),
        **{f"{path}/{line}": text for line, text in zip(_LINES, lines, strict=False)},
    }


def _read_entity(row: Json) -> Values:
    entity, registration = _object(row, "entity"), _object(row, "registration")
    name, form = _object(entity, "legalName"), _object(entity, "legalForm")
    associated, expiration = _object(entity, "associatedEntity"), _object(entity, "expiration")
    return {
        "LEI": _text(row.get("lei")),
        "Entity/LegalName": _text(name.get("name")),
        "Entity/LegalName/@lang": _text(name.get("language")),
        **_address("Entity/LegalAddress", _object(entity, "legalAddress")),
        **_address("Entity/HeadquartersAddress", _object(entity, "headquartersAddress")),
        **_authority(
            "Entity/RegistrationAuthority",
            "RegistrationAuthority",
            entity,
            "registeredAt",
            "registeredAs",
        ),
        "Entity/LegalJurisdiction": _text(entity.get("jurisdiction")),
        "Entity/EntityCategory": _text(entity.get("category")),
        "Entity/EntitySubCategory": _text(entity.get("subCategory")),
        "Entity/LegalForm/EntityLegalFormCode": _text(form.get("id")),
        "Entity/LegalForm/OtherLegalForm": _text(form.get("other")),
        "Entity/AssociatedEntity/AssociatedLEI": _text(associated.get("lei")),
        "Entity/AssociatedEntity/AssociatedEntityName": _text(associated.get("name")),
        "Entity/EntityStatus": _text(entity.get("status")),
        "Entity/EntityCreationDate": _text(entity.get("creationDate")),
        "Entity/EntityExpirationDate": _text(expiration.get("date")),
        "Entity/EntityExpirationReason": _text(expiration.get("reason")),
        **_renamed("Registration", registration, _REGISTRATION),
        **_authority(
            "Registration/ValidationAuthority",
            "ValidationAuthority",
            registration,
            "validatedAt",
            "validatedAs",
        ),
    }


def _names(list_name: str, element: str) -> Callable[[Json], list[Values]]:
    names = {"/@type": "type", "/@lang": "language", "": "name"}

    def read(row: Json) -> list[Values]:
        return [
            {f"{element}{suffix}": _text(item.get(name)) for suffix, name in names.items()}
            for item in _objects(_object(row, "entity"), list_name)
        ]

    return read


def _addresses(list_name: str, element: str) -> Callable[[Json], list[Values]]:
    def read(row: Json) -> list[Values]:
        return [
            {f"{element}/@type": _text(item.get("type")), **_address(element, item)}
            for item in _objects(_object(row, "entity"), list_name)
        ]

    return read


def _read_events(row: Json) -> list[Values]:
    return [
        _read_event(group, event)
        for group in _objects(_object(row, "entity"), "eventGroups")
        for event in _objects(group, "events")
    ]


def _read_event(group: Json, event: Json) -> Values:
    path = "LegalEntityEvent"
    return {
        f"{path}/@group_type": _text(group.get("groupType")),
        f"{path}/@event_status": _text(event.get("status")),
        f"{path}/LegalEntityEventType": _text(event.get("type")),
        f"{path}/LegalEntityEventEffectiveDate": _text(event.get("effectiveDate")),
        f"{path}/LegalEntityEventRecordedDate": _text(event.get("recordedDate")),
        f"{path}/ValidationDocuments": _text(event.get("validationDocuments")),
        f"{path}/ValidationReference": _text(event.get("validationReference")),
    }


def _read_successors(row: Json) -> list[Values]:
    entity = _object(row, "entity")
    successors = _objects(entity, "successorEntities") or [_object(entity, "successorEntity")]
    rows = [
        {
            "SuccessorLEI": _text(successor.get("lei")),
            "SuccessorEntityName": _text(successor.get("name")),
        }
        for successor in successors
    ]
    return [row for row in rows if any(row.values())]


def _read_authorities(row: Json) -> list[Values]:
    path = "OtherValidationAuthority"
    return [
        _authority(path, "ValidationAuthority", item, "validatedAt", "validatedAs")
        for item in _objects(_object(row, "registration"), "otherValidationAuthorities")
    ]


def _read_relationship(row: Json) -> Values:
    relationship = _object(row, "relationship")
    start, end = _object(relationship, "startNode"), _object(relationship, "endNode")
    return {
        "Relationship/StartNode/NodeID": _text(start.get("id")),
        "Relationship/StartNode/NodeIDType": _text(start.get("type")),
        "Relationship/EndNode/NodeID": _text(end.get("id")),
        "Relationship/EndNode/NodeIDType": _text(end.get("type")),
        "Relationship/RelationshipType": _text(relationship.get("type")),
        "Relationship/RelationshipStatus": _text(relationship.get("status")),
        **_renamed("Registration", _object(row, "registration"), _REGISTRATION),
    }


def _parts_of_relationship(
    list_name: str, element: str, names: dict[str, str]
) -> Callable[[Json], list[Values]]:
    def read(row: Json) -> list[Values]:
        items = _objects(_object(row, "relationship"), list_name)
        return [_renamed(element, item, names) for item in items]

    return read


def _read_exception(row: Json) -> Values:
    return {
        "LEI": _text(row.get("lei")),
        "ExceptionCategory": _text(row.get("category")),
        "ExceptionReason": _text(row.get("reason")),
        "ExceptionReference": _text(row.get("reference")),
    }


_Reader = Callable[[Json], Values]
_GroupReader = Callable[[Json], list[Values]]
_READERS: dict[str, tuple[_Reader, dict[str, _GroupReader]]] = {
    "LEI2": (
        _read_entity,
        {
            "other_name": _names("otherNames", "OtherEntityName"),
            "transliterated_name": _names(
                "transliteratedOtherNames", "TransliteratedOtherEntityName"
            ),
            "other_address": _addresses("otherAddresses", "OtherAddress"),
            "transliterated_address": _addresses(
                "transliteratedOtherAddresses", "TransliteratedOtherAddress"
            ),
            "event": _read_events,
            "authority": _read_authorities,
            "successor": _read_successors,
        },
    ),
    "RR": (
        _read_relationship,
        {
            "periods": _parts_of_relationship(
                "periods",
                "RelationshipPeriod",
                {"StartDate": "startDate", "EndDate": "endDate", "PeriodType": "type"},
            ),
            "qualifiers": _parts_of_relationship(
                "qualifiers",
                "RelationshipQualifier",
                {"QualifierDimension": "dimension", "QualifierCategory": "category"},
            ),
            "quantifiers": _parts_of_relationship(
                "quantifiers",
                "RelationshipQuantifier",
                {
                    "MeasurementMethod": "method",
                    "QuantifierAmount": "amount",
                    "QuantifierUnits": "units",
                },
            ),
        },
    ),
    "REPEX": (_read_exception, {}),
}
