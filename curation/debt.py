"""Override debt: the corrections that still replace published values, and for how long they have done so."""

import datetime as dt
from typing import Any

from instruments.models import Correction, CorrectionState
from marketdata.common.plain import to_plain

_IN_USE = (CorrectionState.IN_FORCE, CorrectionState.TO_REVIEW)


def get_debt(day: dt.date) -> list[dict[str, Any]]:
    """Return the corrections in force or to review on a day, the oldest first.

    `days_since_approval`, `days_since_report` to the authority (None if it was not told), and `days_left`
    until the last day (None if it has no end).
    """
    rows = Correction.objects.filter(state__in=_IN_USE).order_by("approved_at", "pk")
    return [_describe(correction, day) for correction in rows]


def _describe(correction: Correction, day: dt.date) -> dict[str, Any]:
    approved_at, told_on, last_day = (
        correction.approved_at,
        correction.reported_on,
        correction.valid_to,
    )
    return {
        "number": correction.number,
        "isin": correction.isin,
        "register": str(correction.register),
        "mic": correction.mic or None,
        "field": correction.field,
        "state": str(correction.state),
        "owner": correction.proposed_by,
        "days_since_approval": (day - approved_at.date()).days if approved_at else None,
        "reported_on": to_plain(told_on),
        "days_since_report": (day - told_on).days if told_on else None,
        "days_left": (last_day - day).days if last_day else None,
    }
