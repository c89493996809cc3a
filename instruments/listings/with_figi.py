"""Instruments with or without a FIGI, of which few among millions may have one."""

from django.db.models import Exists, OuterRef, Value

from instruments.listings import search
from instruments.listings.status import MANY
from instruments.models import Figi, InstrumentQuerySet


def filter_by_figi(instruments: InstrumentQuerySet, *, has_figi: bool) -> InstrumentQuerySet:
    """Return the instruments for which the latest answer of OpenFIGI has a FIGI, or has none."""
    figis = Figi.objects.filter(is_current=True).order_by()
    condition = Exists(figis.filter(isin=OuterRef("isin")))
    if not has_figi:
        return instruments.filter(~condition)
    if figis.values("isin")[:MANY].count() >= MANY:
        # Instruments are asked for in the order of ISINs: behind the last FIGI there may be millions.
        return instruments.filter(condition, isin__lte=figis.order_by("-isin").values("isin")[:1])
    return instruments.filter(pk__in=figis.values("isin")).alias(**{search.FEW: Value(True)})


def compare_keys(instruments: InstrumentQuerySet) -> InstrumentQuerySet:
    """Return the same instruments, those with a FIGI, found faster if words select them too."""
    if search.FEW in instruments.query.annotations and search.is_asked(instruments):
        return instruments.filter(search.is_among(Figi._meta.db_table, "few.is_current"))
    return instruments
