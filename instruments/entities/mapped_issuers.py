"""The issuers of ISINs by GLEIF's ISIN-LEI file, beside the LEIs that FIRDS publishes (RTS 23 field 5).

The two may differ: the LEI in FIRDS may be that of an arranger, a parent or a predecessor. In exchange-traded
derivatives, and by mistake in others, it is that of the operator of the venue, which is told apart.
"""

import dataclasses
import datetime as dt
import enum

from django.db.models import Case, Exists, OuterRef, Q, Subquery, Value, When

from instruments.models import (
    Instrument,
    InstrumentQuerySet,
    LegalEntity,
    MappedIssuer,
    Venue,
)
from instruments.served_values import serve_name
from marketdata.common.prepared import PreparedQuery

# CFI categories of exchange-traded derivatives: listed options, and futures.
_EXCHANGE_TRADED = ("O", "F")


class Comparison(enum.StrEnum):
    """The LEI in FIRDS, compared with that of GLEIF's ISIN-LEI file."""

    SAME = "same"
    DIFFERENT = "different"
    VENUE_OPERATOR = "venue_operator"
    NOT_PUBLISHED = "not_published"


# Those that are listed as differences.
DIFFERENCES = [Comparison.DIFFERENT.value, Comparison.VENUE_OPERATOR.value]
_NOTES = {
    Comparison.SAME: None,
    Comparison.DIFFERENT: "FIRDS publishes another LEI as that of the issuer.",
    Comparison.VENUE_OPERATOR: "FIRDS publishes the LEI of the operator of the venue, which field 5 of RTS 23"
    " allows.",
    Comparison.NOT_PUBLISHED: "FIRDS publishes no LEI for it.",
}


@dataclasses.dataclass(frozen=True)
class IssuerByGleif:
    """The issuer of an ISIN by GLEIF, and the file that reported it first.

    `legal_name` is None where no level 1 record of the LEI is loaded.
    """

    lei: str
    legal_name: str | None
    comparison: Comparison
    source_file: str
    published_on: dt.date

    @property
    def note(self) -> str | None:
        """A sentence about a difference; None if there is none."""
        return _NOTES[self.comparison]


_MAPPED_TO = PreparedQuery(
    lambda isins: (
        MappedIssuer.objects.filter(pk=isins[0])
        .order_by()
        .values_list(
            "mapped_lei__lei",
            Subquery(
                LegalEntity.objects.filter(lei=OuterRef("mapped_lei__lei"))
                .order_by()
                .annotate(served_name=serve_name())
                .values("served_name")[:1]
            ),
            "source_file__name",
            "source_file__published_on",
        )
    )
)


def read_mapped_issuer(
    isin: str, published_lei: str, cfi_code: str, *, is_venue_operator: bool
) -> IssuerByGleif | None:
    """Return the issuer of an ISIN by GLEIF; None where no loaded file of it has the ISIN. One query."""
    row = next(iter(_MAPPED_TO.read(isin)), None)
    if row is None:
        return None
    lei, legal_name, file_name, published_on = row
    comparison = _compare(
        lei, published_lei, is_operator=is_venue_operator or cfi_code[:1] in _EXCHANGE_TRADED
    )
    return IssuerByGleif(lei, legal_name, comparison, file_name, published_on)


def _compare(lei: str, published_lei: str, *, is_operator: bool) -> Comparison:
    if lei == published_lei:
        return Comparison.SAME
    if not published_lei:
        return Comparison.NOT_PUBLISHED
    return Comparison.VENUE_OPERATOR if is_operator else Comparison.DIFFERENT


def is_mapped() -> Exists:
    """Return the condition that GLEIF's ISIN-LEI file has an instrument."""
    return Exists(MappedIssuer.objects.filter(isin=OuterRef("isin")).order_by())


def is_different() -> Q:
    """Return the condition that FIRDS publishes the LEI of an issuer, and GLEIF another one.

    An LEI of the operator of a venue is no difference.
    """
    return _has_other_lei() & ~_is_operator()


def select_differences(comparison: Comparison | None = None) -> InstrumentQuerySet:
    """Return the instruments for which FIRDS and GLEIF have different LEIs, by ISIN.

    `comparison` selects DIFFERENT or VENUE_OPERATOR; None is both. Each has `gleif_lei`, `gleif_name`,
    `published_name` and `comparison`.
    """
    mapped = MappedIssuer.objects.filter(isin=OuterRef("isin")).order_by()
    # Instruments are asked for in the order of ISINs: behind the last mapped one there may be millions, and
    # all of them where no ISIN-LEI file is loaded.
    last = MappedIssuer.objects.order_by("-isin").values("isin")[:1]
    rows = Instrument.objects.filter(_has_other_lei(), isin__lte=last)
    if comparison == Comparison.VENUE_OPERATOR:
        rows = rows.filter(_is_operator())
    elif comparison == Comparison.DIFFERENT:
        rows = rows.exclude(_is_operator())
    names = LegalEntity.objects.order_by().annotate(served_name=serve_name())
    name_by_gleif = names.filter(lei=OuterRef("gleif_lei")).values("served_name")[:1]
    published_name = names.filter(lei=OuterRef("issuer_lei")).values("served_name")[:1]
    return rows.annotate(
        gleif_lei=Subquery(mapped.values("mapped_lei__lei")[:1]),
        gleif_name=Subquery(name_by_gleif),
        published_name=Subquery(published_name),
        comparison=Case(
            When(_is_operator(), then=Value(Comparison.VENUE_OPERATOR.value)),
            default=Value(Comparison.DIFFERENT.value),
        ),
    ).order_by("isin")


def _has_other_lei() -> Q:
    mapped = MappedIssuer.objects.filter(isin=OuterRef("isin")).order_by()
    return ~Q(issuer_lei="") & Q(Exists(mapped.filter(~Q(mapped_lei__lei=OuterRef("issuer_lei")))))


def _is_operator() -> Q:
    operators = Venue.objects.with_known_operator().order_by().values("lei")
    condition = Q(issuer_lei__in=operators)
    for category in _EXCHANGE_TRADED:
        condition |= Q(cfi_code__gte=category, cfi_code__lt=chr(ord(category) + 1))
    return condition
