"""Instruments, listings and versions as dictionaries of plain values.

This is the form in which the API, the commands and the pages present them. The OpenAPI schema documents
the same dictionaries with the serializers of `instruments.listings.api`; tests compare the two.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from instruments.classification.descriptions import describe_classification
from instruments.correctable import to_text
from instruments.entities.mapped_issuers import read_mapped_issuer
from instruments.listings import corrections, reportability, status
from instruments.listings.categories import describe_terms
from instruments.listings.corrections import AppliedCorrection
from instruments.listings.history import Version, get_basis
from instruments.listings.issuers import Issuer, read_issuer, select_operators
from instruments.listings.lookup import LookupResult
from instruments.listings.reportability import Reportability, VenueAnswer
from instruments.listings.terms import Terms
from instruments.listings.underlyings import NamedUnderlying
from instruments.models import Correction, Instrument, Link, Listing, ListingRecord, Venue
from instruments.served_values import serve_venue
from marketdata.common.plain import to_plain

_OF_LISTING = (
    *("full_name", "short_name", "issuer_requested"),
    *("admission_approved_at", "admission_requested_at", "first_trade_at", "terminated_at"),
    *("valid_from", "competent_authority", "relevant_venue", "never_published", "record_kind"),
)
# Columns of a listing that are ours alone.
_INTERNAL = {"id", "fingerprint", "change", "source_file", "dropped_by"}
RECORD_COLUMNS = tuple(f.name for f in Listing._meta.fields if f.name not in _INTERNAL)


def describe_instruments(
    instruments: Iterable[Instrument],
    day: dt.date | None = None,
    *,
    with_corrections: bool = True,
) -> list[dict[str, Any]]:
    """Return instruments as rows of a list, with their effective status on a day (today by default).

    Without corrections, the values are the published ones. Two queries per 1,000 instruments.
    """
    rows = list(instruments)
    replaced: dict[str, list[Correction]] = {}
    if with_corrections:
        replaced = corrections.read_replaced(rows)
    else:
        corrections.restore_published(rows)
    day = day or status.today()
    operators = select_operators(row.issuer_lei for row in rows)
    return [
        {
            **_describe_summary(
                row,
                effective_status=status.get_effective_status_of_row(row, day),
                is_operator=row.issuer_lei in operators,
            ),
            "corrections": [
                corrections.describe_replaced(row, correction)
                for correction in replaced.get(row.isin, ())
            ],
        }
        for row in rows
    ]


def _describe_summary(
    instrument: Instrument, *, effective_status: str, is_operator: bool
) -> dict[str, Any]:
    lei = instrument.issuer_lei
    return {
        "isin": instrument.isin,
        "full_name": instrument.full_name,
        "short_name": instrument.short_name,
        "cfi_code": instrument.cfi_code,
        "category": instrument.category,
        "notional_currency": instrument.notional_currency,
        "issuer_lei": "" if is_operator else lei,
        "operator_lei": lei if is_operator else "",
        "status": str(instrument.status),
        "effective_status": str(effective_status),
        "mic": instrument.mic,
        "register": instrument.register,
        "listing_count": instrument.listing_count,
        "eu_listings": instrument.eu_listings,
        "uk_listings": instrument.uk_listings,
    }


def describe_instrument(
    instrument: Instrument,
    *,
    as_of: dt.date | None = None,
    known_on: dt.date | None = None,
    applied: Iterable[AppliedCorrection] = (),
) -> dict[str, Any]:
    """Return an instrument with its terms and all its listings.

    `applied` are the corrections that `corrections.correct_instrument` has put into it.
    `as_of` and `known_on` are those of the snapshot. Days are counted from the first of them that is
    given, else from today. Two queries, and one to read the listings of a saved instrument.
    """
    day = as_of or known_on or status.today()
    reference, listings = instrument.authoritative, instrument.listings
    issuer = read_issuer(instrument.issuer_lei)
    effective = status.get_effective_status_of_all(listings, reference, day)
    decoded = instrument.classification
    return {
        **_describe_summary(
            instrument, effective_status=effective, is_operator=issuer.is_venue_operator
        ),
        "corrections": list(map(corrections.describe_applied, applied)),
        "as_of": to_plain(as_of),
        "known_on": to_plain(known_on),
        **_describe_provenance(reference),
        "reference_listing": _describe_venue(reference),
        "most_relevant_market": _describe_most_relevant_market(reference, listings),
        "issuer_requested_listings": [
            _describe_venue(listing) for listing in listings if listing.issuer_requested
        ],
        "issuer": describe_issuer(issuer),
        "issuer_by_gleif": _describe_issuer_by_gleif(instrument, issuer),
        "classification": None if decoded is None else describe_classification(decoded),
        "terms": describe_terms(Terms(reference, instrument.category, day)),
        "listings": [describe_listing(listing, day) for listing in listings],
    }


def _describe_provenance(record: ListingRecord) -> dict[str, Any]:
    """Return why a record answers, and where it was published."""
    basis = get_basis(record)
    return {
        "basis": basis.value,
        "rule": basis.rule,
        "source_file": record.source_file.name,
        "source_position": record.source_position,
        "published_on": to_plain(record.source_file.published_on),
    }


def _describe_venue(record: ListingRecord) -> dict[str, Any]:
    return {
        "mic": record.mic,
        "venue_name": getattr(record, "venue_name", None),
        "register": str(record.register),
    }


def _describe_most_relevant_market(
    reference: ListingRecord, listings: Sequence[ListingRecord]
) -> dict[str, Any] | None:
    """Return the relevant trading venue (RlvntTradgVn) by the reference listing, else by any listing."""
    for record in (reference, *listings):
        if record.relevant_venue:
            mic = record.relevant_venue
            listing = next((listing for listing in listings if listing.mic == mic), None)
            if listing is None:
                name = Venue.objects.filter(pk=mic).values_list(serve_venue(), flat=True).first()
            else:
                name = getattr(listing, "venue_name", None)
            return {
                "mic": mic,
                "venue_name": name,
                "register": str(record.register),
                "is_listed": listing is not None,
            }
    return None


def describe_issuer(issuer: Issuer) -> dict[str, Any] | None:
    """Return an issuer, or the operator published instead of it; None if nothing is published."""
    if not issuer.published_lei:
        return None
    note = None
    if issuer.is_venue_operator:
        mics = ", ".join(issuer.operated_venues[:5])
        if len(issuer.operated_venues) > 5:
            mics += f" and {len(issuer.operated_venues) - 5} more"
        note = (
            f"The published LEI is that of the operator of {mics}, by the list of venues. It is not"
            " shown as the issuer: RTS 23 field 5 is for either."
        )
    return {
        "lei": issuer.lei,
        "published_lei": issuer.published_lei,
        "is_venue_operator": issuer.is_venue_operator,
        "operator_name": issuer.operator_name or None,
        "operated_venues": list(issuer.operated_venues),
        "note": note,
    }


def _describe_issuer_by_gleif(instrument: Instrument, issuer: Issuer) -> dict[str, Any] | None:
    """Return the issuer by GLEIF's ISIN-LEI file, compared with the published one; None without an entry."""
    mapped = read_mapped_issuer(
        instrument.isin,
        issuer.published_lei,
        instrument.cfi_code,
        is_venue_operator=issuer.is_venue_operator,
    )
    if mapped is None:
        return None
    return {
        "lei": mapped.lei,
        "legal_name": mapped.legal_name,
        "comparison": mapped.comparison.value,
        "note": mapped.note,
        "source_file": mapped.source_file,
        "published_on": to_plain(mapped.published_on),
    }


def describe_listing(listing: Listing, day: dt.date) -> dict[str, Any]:
    """Return what differs between the listings of an instrument, with the effective status on a day."""
    return {
        **_describe_venue(listing),
        "status": str(listing.status),
        "effective_status": str(status.get_effective_status(listing, day)),
        **{name: to_plain(getattr(listing, name)) for name in _OF_LISTING},
        **_describe_provenance(listing),
        "dropped_by": _get_dropped_by(listing),
    }


def _get_dropped_by(record: ListingRecord) -> str | None:
    dropped_by = getattr(record, "dropped_by", None)
    return dropped_by.name if dropped_by else None


def describe_record(record: ListingRecord) -> dict[str, Any]:
    """Return every field of a listing as published, with the file in which it was read."""
    published = getattr(record, "published_values", {})
    values = {
        name: to_plain(published[name] if name in published else getattr(record, name))
        for name in RECORD_COLUMNS
    }
    return _complete_record(values, record.source_file.name, _get_dropped_by(record))


def describe_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same as `describe_record` for a row of `values()` with the columns of RECORD_COLUMNS.

    The row also has `source_file__name` and `dropped_by__name`.
    """
    values = {name: to_plain(row[name]) for name in RECORD_COLUMNS}
    return _complete_record(values, row["source_file__name"], row["dropped_by__name"])


def _complete_record(
    values: dict[str, Any], source_file: str, dropped_by: str | None
) -> dict[str, Any]:
    return {**values, "source_file": source_file, "dropped_by": dropped_by}


def describe_version(version: Version, approved: Iterable[Correction] = ()) -> dict[str, Any]:
    """Return a record of a listing, the days on which it was valid, its changes and corrections.

    `approved` are the corrections of the instrument that were ever approved.
    """
    record, validity = version.record, version.validity
    return {
        **_describe_venue(record),
        "status": str(record.status),
        "record_kind": record.record_kind,
        "valid_from": to_plain(validity.valid_from),
        "valid_to": to_plain(validity.valid_to),
        "was_valid": validity.was_valid,
        "rule": validity.rule,
        "published_on": to_plain(record.source_file.published_on),
        "source_file": record.source_file.name,
        "source_position": record.source_position,
        "changes": {
            name: {"old": to_plain(old), "new": to_plain(new)}
            for name, (old, new) in version.changes.items()
        },
        "corrections": [
            corrections.describe_in_use(correction)
            for correction in approved
            if correction.register == record.register
            and correction.mic in ("", record.mic)
            and correction.expected == to_text(getattr(record, correction.field))
        ],
    }


def describe_reportability(answer: Reportability) -> dict[str, Any]:
    """Return the answer on a day: the venues on which it was reportable, and the other ones, with reasons."""
    return {
        "isin": answer.isin,
        "on": to_plain(answer.on),
        "known_on": to_plain(answer.known_on),
        "reportable": answer.is_reportable,
        "reason": answer.reason,
        "rule": reportability.RULE,
        "venues": [_describe_venue_answer(a) for a in answer.listings if a.is_reportable],
        "other_venues": [_describe_venue_answer(a) for a in answer.listings if not a.is_reportable],
        "traded_underlyings": list(answer.traded_underlyings),
    }


def _describe_venue_answer(answer: VenueAnswer) -> dict[str, Any]:
    record = answer.record
    dates = ("admission_requested_at", "admission_approved_at", "first_trade_at", "terminated_at")
    return {
        **_describe_venue(record),
        "reportable": answer.is_reportable,
        "traded": answer.is_traded,
        "reason": answer.reason,
        "status": str(record.status),
        **{name: to_plain(getattr(record, name)) for name in dates},
        "valid_from": to_plain(record.valid_from),
        "basis": answer.basis.value,
        "source_file": record.source_file.name,
        "source_position": record.source_position,
        "published_on": to_plain(record.source_file.published_on),
    }


def describe_derivatives(derivatives: Iterable[Instrument]) -> list[dict[str, Any]]:
    """Return derivatives of an underlying as rows of a list, with the way in which each names it."""
    rows = list(derivatives)
    return [
        {**summary, "link": str(Link(row.link).label)}  # type: ignore[attr-defined]
        for row, summary in zip(rows, describe_instruments(rows), strict=True)
    ]


def describe_underlying(underlying: NamedUnderlying) -> dict[str, Any]:
    """Return one underlying of an instrument."""
    return {
        "link": str(underlying.link.label),
        "isin": underlying.isin,
        "lei": underlying.lei,
        "name": underlying.name,
        "known": underlying.is_known,
        "venues": list(underlying.venues),
    }


def describe_lookup(result: LookupResult) -> dict[str, str | None]:
    """Return the outcome for one code of a list."""
    return {
        "isin": result.isin,
        "status": result.status.value,
        "reason": result.reason,
        "instrument_isin": result.instrument_isin,
    }
