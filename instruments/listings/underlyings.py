"""Underlyings of an instrument, as its listings name them, and derivatives of an instrument or index."""

import dataclasses
from collections.abc import Iterable, Iterator

from instruments.isin import problem_of
from instruments.listings.rates import Benchmark, get_benchmark, get_underlying_index
from instruments.models import (
    Instrument,
    InstrumentQuerySet,
    Link,
    Listing,
    ListingRecord,
    Underlying,
)
from marketdata.common.batches import in_batches
from marketdata.common.errors import InvalidQuery, NotInDatabase

_RATES = ("interest_rate", "first_leg_rate", "other_leg_rate")
_LEI_LENGTH = 20


@dataclasses.dataclass(frozen=True)
class NamedUnderlying:
    """One underlying: a security or index with an ISIN, an issuer with an LEI, or only a name.

    `name` is that of the instrument if it is known here, else the published one. `venues` are the MICs
    of the listings that name the underlying.
    """

    link: Link
    isin: str | None
    lei: str | None
    name: str | None
    is_known: bool
    venues: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Reference:
    """An underlying as one record of a listing names it."""

    link: Link
    isin: str | None = None
    lei: str | None = None
    published_name: str | None = None


def find_derivatives(text: str) -> InstrumentQuerySet:
    """Return all instruments that have an ISIN as an underlying, directly, by an index or in a basket.

    An index need not be an instrument to have derivatives. Raises InvalidQuery, NotInDatabase.
    """
    isin = text.upper()
    if problem := problem_of(isin):
        raise InvalidQuery("isin", f"{isin}: {problem}.")
    has_derivatives = Underlying.objects.filter(code=isin).exists()
    if not has_derivatives and not Instrument.objects.filter(pk=isin).exists():
        raise NotInDatabase(f"No loaded file has {isin} as an instrument or as an underlying.")
    return Instrument.objects.derived_from(isin)


def read_underlyings(listings: Iterable[Listing]) -> list[NamedUnderlying]:
    """Return the underlyings of an instrument, each once.

    They are in the published order; the weights in a basket are not published. One query per 500
    underlyings.
    """
    venues: dict[Reference, dict[str, None]] = {}
    for listing in listings:
        for reference in read_references(listing):
            venues.setdefault(reference, {})[listing.mic] = None
    isins = sorted({reference.isin for reference in venues if reference.isin})
    names: dict[str, str] = {}
    for batch in in_batches(isins):
        rows = Instrument.objects.filter(pk__in=batch)
        names.update(rows.values_list("pk", "full_name"))
    return [
        NamedUnderlying(
            link=reference.link,
            isin=reference.isin,
            lei=reference.lei,
            name=names.get(reference.isin or "") or reference.published_name,
            is_known=reference.isin in names,
            venues=tuple(mics),
        )
        for reference, mics in sorted(venues.items(), key=lambda item: item[0].link)
    ]


def read_references(listing: ListingRecord) -> Iterator[Reference]:
    """Yield the underlyings that a record names, in the published order."""
    if listing.underlying_isin or listing.underlying_lei:
        yield Reference(Link.SINGLE, listing.underlying_isin, listing.underlying_lei)
    if (index := get_underlying_index(listing)) is not None:
        yield Reference(Link.INDEX, isin=index.isin, published_name=_get_name(index))
    for prefix in _RATES:
        if (rate := get_benchmark(listing, prefix)) is not None:
            yield Reference(Link.RATE, isin=rate.isin, published_name=_get_name(rate))
    for code in _read_basket(listing):
        is_lei = len(code) == _LEI_LENGTH
        yield Reference(Link.BASKET, None if is_lei else code, code if is_lei else None)


def read_securities(listing: ListingRecord) -> Iterator[str]:
    """Yield the ISINs of the securities that a record names, single or in a basket; issuers are none."""
    if listing.underlying_isin:
        yield listing.underlying_isin
    for code in _read_basket(listing):
        if len(code) != _LEI_LENGTH:
            yield code


def _read_basket(listing: ListingRecord) -> list[str]:
    return (listing.underlying_basket or "").split()


def _get_name(rate: Benchmark) -> str | None:
    """Return the name of a rate with its term; None if only an ISIN is published."""
    return rate.description if rate.index or rate.name else None
