"""Instruments with or without a FIGI, of which few among millions may have one."""

from typing import cast

from django.db.models import Exists, OuterRef

from instruments.listings import search
from instruments.listings.search import MANY
from instruments.models import Figi, InstrumentQuerySet


def filter_by_figi(instruments: InstrumentQuerySet, *, has_figi: bool) -> InstrumentQuerySet:
    """Return the instruments for which the latest answer of OpenFIGI has a FIGI, or has none."""
    figis = Figi.objects.filter(is_current=True).order_by()
    condition = Exists(figis.filter(isin=OuterRef("isin")))
    if not has_figi:
        return instruments.filter(~condition)
    keys = figis.values("isin")
    if (number := keys[:MANY].count()) >= MANY:
        # Instruments are asked for in the order of ISINs: behind the last FIGI there may be millions.
        return instruments.filter(condition, isin__lte=figis.order_by("-isin").values("isin")[:1])
    return cast(InstrumentQuerySet, search.among(instruments, keys, number))
