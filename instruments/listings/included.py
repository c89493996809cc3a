"""Parts that a list of instruments has beside them: `include=listings,issuer,figis,transparency,venue`.

Each part is read for all rows of a page together, so the number of queries does not depend on the rows.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from instruments.corrected_records import correct
from instruments.listings.descriptions import describe_listing
from instruments.listings.status import today
from instruments.models import Figi, LegalEntity, Listing, Register, Venue
from instruments.transparency.applicable import Applicable
from instruments.transparency.questions import get_liquidity
from marketdata.common.batches import in_batches
from marketdata.common.errors import InvalidQuery
from marketdata.common.plain import describe_columns, to_plain

# Rows of a page with included parts: some instruments have a hundred listings.
MAX_ROWS = 200
ENTITY_COLUMNS = ("legal_name", "legal_address_country", "entity_status", "registration_status")
FIGI_COLUMNS = (
    *("figi", "composite_figi", "share_class_figi", "ticker", "exchange_code", "mic"),
    *("security_type", "market_sector"),
)
VENUE_COLUMNS = ("mic", "name", "operating_mic", "country", "category", "status", "lei")
Rows = Sequence[dict[str, Any]]


def parse(text: str) -> list[str]:
    """Return the names of parts in a text, separated by commas. Raises InvalidQuery."""
    names = list(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in PARTS:
            known = ", ".join(PARTS)
            raise InvalidQuery(
                "include", f"{name[:50]!r} cannot be included. Choose from: {known}."
            )
    return names


def add(
    rows: Rows,
    names: Sequence[str],
    day: dt.date | None = None,
    *,
    with_corrections: bool = True,
) -> None:
    """Add parts to rows of `describe_instruments`, as they are on a day (today by default).

    Without corrections, issuers and venues are as published.

    An unknown part is an empty list (listings, figis) or None. Three queries at most for a part of 500 rows.
    """
    for name in names:
        values = _READERS[name](rows, day or today(), with_corrections)
        for row in rows:
            row[name] = values.get(row["isin"], [] if name in _LISTS else None)


def _read_listings(rows: Rows, day: dt.date, with_corrections: bool) -> dict[str, Any]:
    described: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for batch in _get_isins(rows):
        listings = Listing.objects.with_venues().filter(isin__in=batch)
        for listing in listings.select_related("source_file", "dropped_by").order_by(
            "isin", "mic", "register"
        ):
            described[listing.isin].append(describe_listing(listing, day))
    return described


def _read_issuers(rows: Rows, day: dt.date, with_corrections: bool) -> dict[str, Any]:
    """Return GLEIF's names and status of the published issuers; operators of venues are none."""
    leis = sorted({row["issuer_lei"] for row in rows if row["issuer_lei"]})
    entities: dict[str, dict[str, Any]] = {}
    for batch in in_batches(leis):
        known = list(LegalEntity.objects.filter(lei__in=batch))
        if with_corrections:
            correct(known)
        entities |= {row.lei: describe_columns(row, ENTITY_COLUMNS) for row in known}
    unknown = dict.fromkeys(ENTITY_COLUMNS)
    return {
        row["isin"]: {"lei": lei, **entities.get(lei, unknown)}
        for row in rows
        if (lei := row["issuer_lei"])
    }


def _read_figis(rows: Rows, day: dt.date, with_corrections: bool) -> dict[str, Any]:
    described: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for batch in _get_isins(rows):
        figis = Figi.objects.filter(isin__in=batch, is_current=True).order_by("isin", "figi")
        for row in figis.values("isin", *FIGI_COLUMNS):
            described[row.pop("isin")].append({name: row[name] or None for name in FIGI_COLUMNS})
    return described


def _read_transparency(rows: Rows, day: dt.date, with_corrections: bool) -> dict[str, Any]:
    liquidity: dict[str, Applicable] = {}
    for batch in _get_isins(rows):
        liquidity |= get_liquidity(batch, day, register=Register.ESMA)
    return {isin: _describe_liquidity(answer) for isin, answer in liquidity.items()}


def _describe_liquidity(answer: Applicable) -> dict[str, Any]:
    only = answer.only
    return {
        "liquid": only and only.result.liquid,
        "why": answer.why,
        "applies_from": only and to_plain(only.period.first),
        "applies_to": only and to_plain(only.period.last),
        "source_file": only and only.result.source_file.name,
        "published_on": only and to_plain(only.result.source_file.published_on),
    }


def _read_venues(rows: Rows, day: dt.date, with_corrections: bool) -> dict[str, Any]:
    venues: dict[str, dict[str, Any]] = {}
    for batch in in_batches(sorted({row["mic"] for row in rows})):
        known = list(Venue.objects.filter(pk__in=batch).order_by())
        if with_corrections:
            correct(known)
        venues |= {venue.mic: describe_columns(venue, VENUE_COLUMNS) for venue in known}
    return {row["isin"]: venues.get(row["mic"]) for row in rows}


def _get_isins(rows: Rows) -> Any:
    return in_batches([row["isin"] for row in rows])


_READERS: dict[str, Callable[[Rows, dt.date, bool], dict[str, Any]]] = {
    "listings": _read_listings,
    "issuer": _read_issuers,
    "figis": _read_figis,
    "transparency": _read_transparency,
    "venue": _read_venues,
}
_LISTS = ("listings", "figis")
# Parts, and the permission that each needs beside that to view instruments.
PARTS = {
    "listings": "instruments.view_instrument",
    "issuer": "instruments.view_legalentity",
    "figis": "instruments.view_figi",
    "transparency": "instruments.view_transparencyresult",
    "venue": "instruments.view_venue",
}
