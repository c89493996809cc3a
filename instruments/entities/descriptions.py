"""Legal entities and their hierarchies as dictionaries of plain values.

This is the form in which the API and the commands present them. The OpenAPI schema documents the same
dictionaries with the serializers of `instruments.entities.api`.
"""

from typing import Any

from instruments.corrected_records import describe_corrections
from instruments.entities.hierarchy import Hierarchy, Node
from instruments.entities.questions import Successor, read_successors
from instruments.entities.sources import describe_source
from instruments.models import EntityEvent, LegalEntity, ReportingException
from marketdata.common.plain import describe_columns, none_if_empty, to_plain

_AFFECTED = range(1, 6)


def describe_entity(entity: LegalEntity) -> dict[str, Any]:
    """Return an entity as lists show it."""
    return {
        **describe_columns(entity, ("lei", "legal_name", "legal_name_language", "jurisdiction")),
        "country": entity.legal_address_country,
        "city": entity.legal_address_city,
        **describe_columns(entity, ("category", "sub_category", "legal_form", "legal_form_other")),
        **describe_columns(entity, ("entity_status", "registration_status", "created_at")),
        **describe_columns(entity, ("expired_at", "expiration_reason", "first_registered_at")),
        **describe_columns(entity, ("last_updated_at", "next_renewal_at", "managing_lou")),
        "corrections": describe_corrections(entity),
    }


def describe_entity_details(
    entity: LegalEntity, *, with_corrections: bool = True
) -> dict[str, Any]:
    """Return an entity with everything of its level 1 record, its BICs and its successors.

    `with_corrections` is that of `get_entity`: it decides about the names of successors.
    """
    successors = read_successors(entity, with_corrections=with_corrections)
    return {
        **describe_entity(entity),
        "names": [
            describe_columns(name, ("name", "type", "language")) for name in entity.names.all()
        ],
        "bics": [row.bic for row in entity.bics.all()],
        "legal_address": _describe_address(entity, "legal_address_"),
        "headquarters_address": _describe_address(entity, "headquarters_"),
        "other_addresses": [
            {"type": address.type, **_describe_address(address)}
            for address in entity.addresses.all()
        ],
        "registration_authority": none_if_empty(
            {
                "authority": entity.registration_authority,
                "authority_other": entity.registration_authority_other,
                "number": entity.registration_number,
            }
        ),
        "validation_sources": entity.validation_sources,
        "validation_authority": none_if_empty(_describe_authority(entity)),
        "other_validation_authorities": [
            _describe_authority(authority) for authority in entity.authorities.all()
        ],
        "associated_entity": none_if_empty(
            {
                "type": entity.associated_type,
                "lei": entity.associated_lei,
                "name": entity.associated_name,
            }
        ),
        "events": [_describe_event(event) for event in entity.events.all()],
        "successors": [_describe_successor(successor) for successor in successors],
        **describe_source(entity),
    }


def describe_issuer_difference(instrument: Any) -> dict[str, Any]:
    """Return an instrument of `select_differences`, with the issuers by FIRDS and by GLEIF."""
    return {
        **describe_columns(instrument, ("isin", "full_name", "cfi_code", "status", "comparison")),
        "published_lei": instrument.issuer_lei,
        **describe_columns(instrument, ("published_name", "gleif_lei", "gleif_name")),
    }


def describe_hierarchy(hierarchy: Hierarchy) -> dict[str, Any]:
    """Return the entities above and below an entity, and the reasons why no parent is reported."""
    trees = ("parents", "ultimate_parents", "children", "others")
    return {
        **describe_columns(hierarchy, ("lei", "legal_name", "on")),
        **{tree: [_describe_node(node) for node in getattr(hierarchy, tree)] for tree in trees},
        "exceptions": [_describe_exception(exception) for exception in hierarchy.exceptions],
        "has_more": hierarchy.has_more,
    }


def _describe_address(row: Any, prefix: str = "") -> dict[str, Any]:
    """Return an address of a row; `prefix` begins the names of its columns."""

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


def _describe_authority(row: Any) -> dict[str, Any]:
    """Return the validation authority of an entity, or another one of its record."""
    return {
        "authority": row.validation_authority,
        "authority_other": row.validation_authority_other,
        "number": row.validation_number,
    }


def _describe_event(event: EntityEvent) -> dict[str, Any]:
    affected = (
        {
            "path": getattr(event, f"affected_path_{number}"),
            "value": getattr(event, f"affected_value_{number}"),
        }
        for number in _AFFECTED
    )
    return {
        **describe_columns(event, ("type", "status", "effective_at", "recorded_at")),
        **describe_columns(event, ("group_type", "group_id", "group_sequence")),
        **describe_columns(event, ("validation_documents", "validation_reference")),
        "affected_fields": [field for field in affected if field["path"] or field["value"]],
    }


def _describe_successor(successor: Successor) -> dict[str, Any]:
    return {
        **describe_columns(successor, ("lei", "name", "predecessor_lei")),
        "is_loaded": successor.entity is not None,
    }


def _describe_node(node: Node) -> dict[str, Any]:
    relationship = node.relationship
    return {
        **describe_columns(node, ("lei", "legal_name", "level", "related_lei")),
        **describe_columns(relationship, ("type", "status", "started_at", "ended_at")),
        **describe_columns(relationship, ("registration_status", "validation_sources")),
        "last_updated_at": to_plain(relationship.last_updated_at),
    }


def _describe_exception(exception: ReportingException) -> dict[str, Any]:
    references = (exception.reference, exception.second_reference, exception.third_reference)
    return {
        "category": exception.category,
        "description": exception.description,
        "reasons": exception.reasons,
        "references": [reference for reference in references if reference],
    }
