"""Issuers of instruments, told apart from operators of venues.

RTS 23 field 5 is "issuer or operator of the trading venue identifier": for exchange-traded derivatives,
and by mistake for some other instruments, it contains the LEI of the venue's operator. An LEI that the
list of venues (ISO 10383) gives as that of a trading venue's operator is therefore never presented as the
issuer. Banks that are in the list as systematic internalisers alone are issuers.
"""

import dataclasses
from collections.abc import Iterable

from instruments.corrected_records import correct
from instruments.models import Venue
from marketdata.common.batches import in_batches
from marketdata.common.prepared import PreparedQuery

_OPERATORS = PreparedQuery(
    lambda leis: (
        Venue.objects.with_known_operator()
        .filter(lei__in=leis)
        .order_by()
        .values_list("lei")
        .distinct()
    )
)


@dataclasses.dataclass(frozen=True)
class Issuer:
    """The published LEI of field 5. `operated_venues` are the trading venues whose operator has this LEI."""

    published_lei: str
    operated_venues: tuple[str, ...] = ()
    operator_name: str = ""

    @property
    def is_venue_operator(self) -> bool:
        return bool(self.operated_venues)

    @property
    def lei(self) -> str | None:
        """The LEI of the issuer; None if none is published or if it is an operator's."""
        return None if self.is_venue_operator else self.published_lei or None


def read_issuer(lei: str) -> Issuer:
    """Return the issuer with a published LEI, checked against the list of venues: one or two queries."""
    if not lei:
        return Issuer("")
    venues = list(Venue.objects.with_known_operator().filter(lei=lei).order_by("mic"))
    correct(venues)
    name = venues[0].legal_entity_name if venues else ""
    return Issuer(lei, tuple(venue.mic for venue in venues), name)


def select_operators(leis: Iterable[str]) -> set[str]:
    """Return those LEIs that are of a trading venue's operator, with one query per 500 LEIs."""
    operators: set[str] = set()
    for batch in in_batches(sorted({lei for lei in leis if lei})):
        operators |= {lei for (lei,) in _OPERATORS.read(*batch)}
    return operators
