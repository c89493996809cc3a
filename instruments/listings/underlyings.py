"""What an instrument is derived from, as its listings name it."""

import dataclasses
from collections.abc import Iterable, Iterator

from instruments.listings.rates import Benchmark, benchmark, underlying_index
from instruments.models import Instrument, Link, Listing

_PARAMETERS = 1_000  # of a statement; SQL Server takes 2,100

_RATES = ("interest_rate", "first_leg_rate", "other_leg_rate")
_LEI_LENGTH = 20


@dataclasses.dataclass(frozen=True)
class Named:
    """One underlying: a security or index with an ISIN, an issuer with a LEI, or an index or a rate of
    which only the name is published. `name` is that of the instrument, where it is known, else as
    published.
    """

    link: Link
    isin: str | None
    lei: str | None
    name: str | None
    known: bool
    venues: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Naming:
    link: Link
    isin: str | None = None
    lei: str | None = None
    published_name: str | None = None


def of(listings: Iterable[Listing]) -> list[Named]:
    """The underlyings of an instrument, each once, with the venues whose listing names it.

    In the order published: of baskets, ESMA says no weights. One query a thousand of them.
    """
    venues: dict[_Naming, dict[str, None]] = {}
    for listing in listings:
        for naming in _named(listing):
            venues.setdefault(naming, {})[listing.mic] = None
    isins = sorted({naming.isin for naming in venues if naming.isin})
    names: dict[str, str] = {}
    for begin in range(0, len(isins), _PARAMETERS):
        some = Instrument.objects.filter(pk__in=isins[begin : begin + _PARAMETERS])
        names.update(some.values_list("pk", "full_name"))
    return [
        Named(
            link=naming.link,
            isin=naming.isin,
            lei=naming.lei,
            name=names.get(naming.isin or "") or naming.published_name,
            known=naming.isin in names,
            venues=tuple(mics),
        )
        for naming, mics in sorted(venues.items(), key=lambda item: item[0].link)
    ]


def _named(listing: Listing) -> Iterator[_Naming]:
    if listing.underlying_isin or listing.underlying_lei:
        yield _Naming(Link.SINGLE, listing.underlying_isin, listing.underlying_lei)
    if (index := underlying_index(listing)) is not None:
        yield _Naming(Link.INDEX, isin=index.isin, published_name=_name(index))
    for column in _RATES:
        if (rate := benchmark(listing, column)) is not None:
            yield _Naming(Link.RATE, isin=rate.isin, published_name=_name(rate))
    for code in (listing.underlying_basket or "").split():
        is_lei = len(code) == _LEI_LENGTH
        yield _Naming(Link.BASKET, None if is_lei else code, code if is_lei else None)


def _name(rate: Benchmark) -> str | None:
    """What it is called, with its term; None where only an ISIN is published."""
    return rate.said if rate.index or rate.name else None
