"""Counting of the coverage by category. A scan of the instruments for each source: a task of the night."""

from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef
from django.db.models.functions import Substr
from django.utils import timezone

from instruments.entities.mapped_issuers import is_different, is_mapped
from instruments.models import Coverage, Figi, Instrument, LegalEntity, TransparencyResult

_CONDITIONS: dict[str, Any] = {
    Coverage.Source.ENTITY: Exists(LegalEntity.objects.filter(lei=OuterRef("issuer_lei"))),
    Coverage.Source.ISIN_LEI: is_mapped(),
    Coverage.Source.ISSUER_DIFFERENCE: is_different(),
    Coverage.Source.FIGI: Exists(
        Figi.objects.filter(isin=OuterRef("isin"), is_current=True).order_by()
    ),
    Coverage.Source.TRANSPARENCY: Exists(
        TransparencyResult.objects.filter(isin=OuterRef("isin"), superseded=False).order_by()
    ),
}


def recount() -> None:
    """Count the coverage again, and replace the kept numbers in one transaction."""
    now = timezone.now()
    totals = _count_by_category(Instrument.objects.all())
    rows = []
    for source, condition in _CONDITIONS.items():
        covered = _count_by_category(Instrument.objects.filter(condition))
        rows += [
            Coverage(
                category=category,
                source=source,
                instruments=instruments,
                covered=covered.get(category, 0),
                counted_at=now,
            )
            for category, instruments in totals.items()
        ]
    with transaction.atomic():
        Coverage.objects.all().delete()
        Coverage.objects.bulk_create(rows)


def _count_by_category(instruments: Any) -> dict[str, int]:
    rows = (
        instruments.order_by()
        .annotate(cfi_category=Substr("cfi_code", 1, 1))
        .values("cfi_category")
    )
    return dict(rows.annotate(number=Count("pk")).values_list("cfi_category", "number"))
