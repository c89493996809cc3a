"""Problems that want attention, for those who can act on them."""

import dataclasses
import datetime as dt
from typing import Any

from django import template
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone

from curation.models import ProblemCount
from esma_files.models import EsmaFile, RejectedRecord, Run
from instruments.models import Correction, CorrectionState, TableCount
from monitoring.models import CheckResult

register = template.Library()
_RECENT = dt.timedelta(days=7)


@dataclasses.dataclass(frozen=True)
class Item:
    """Something to act on: a number (None for what is not counted), a phrase and the page to act on it."""

    number: int | None
    text: str
    address: str


@register.simple_tag
def find_attention(user: Any) -> list[Item]:
    """Return what a user can act on, without reading large tables; empty for others."""
    items: list[Item] = []
    if user.has_perm("esma_files.load_esmafile"):
        items += _find_in_files()
    if user.has_perm("instruments.add_correction"):
        number = ProblemCount.objects.aggregate(total=Sum("problems"))["total"] or 0
        items.append(Item(number, "problems of published data", reverse("problems")))
    if user.has_perm("instruments.approve_correction"):
        proposed = Correction.objects.filter(state=CorrectionState.PROPOSED).count()
        address = f"{reverse('correction-list')}?state={CorrectionState.PROPOSED}"
        items.append(Item(proposed, "corrections to decide about", address))
    if user.has_perm("monitoring.view_checkresult"):
        failing = CheckResult.objects.filter(
            status__in=[CheckResult.Status.FAILED, CheckResult.Status.WARNING]
        )
        items += [
            Item(None, f"{row.name.replace('_', ' ')}: {row.reason}", reverse("status"))
            for row in failing
        ]
    return [item for item in items if item.number != 0]


def _find_in_files() -> list[Item]:
    failed_files = EsmaFile.objects.filter(state=EsmaFile.State.FAILED).count()
    failed_runs = Run.objects.filter(
        state=Run.State.FAILED, requested_at__gt=timezone.now() - _RECENT
    ).count()
    [rejected] = TableCount.objects.of(RejectedRecord)
    return [
        Item(failed_files, "failed files", f"{reverse('files')}?state={EsmaFile.State.FAILED}"),
        Item(
            failed_runs,
            "runs failed in the last 7 days",
            f"{reverse('runs')}?state={Run.State.FAILED}",
        ),
        Item(rejected, "rejected records", reverse("rejects")),
    ]
