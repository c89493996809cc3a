"""Override debt: the corrections that still replace published values, and for how long they have done so."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from typing import Any

from instruments.models import Correction, CorrectionState
from marketdata.common.plain import to_plain
from marketdata.web.access import may_see_user_name

EXPIRING_DAYS = 30  # a correction whose last day is nearer is expiring
IN_USE = (CorrectionState.IN_FORCE, CorrectionState.TO_REVIEW)
# The bands of age: the greatest number of days of each, None for no end.
_AGES = ((30, "up to 30 days"), (90, "31 to 90 days"), (365, "91 to 365 days"))
_OLDEST = "more than 365 days"


def get_debt(day: dt.date, *, user: Any = None) -> list[dict[str, Any]]:
    """Return the corrections in force or to review on a day, the oldest first.

    `days_since_approval`, `days_since_report` to the authority (None if it was not told), and `days_left`
    until the last day (None if it has no end). `owner` is the proposer; null for a user who may not see it.
    Without `user`, as in commands, owners are always shown.
    """
    rows = Correction.objects.filter(state__in=IN_USE).order_by("approved_at", "pk")
    return [_describe(correction, day, user) for correction in rows]


def summarize(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Count corrections of `get_debt` by age, owner and field.

    `unreported` were not told to the authority, `expiring` end within 30 days, and for those `to_review` the
    register publishes a third value.
    """
    rows = list(rows)
    return {
        "corrections": len(rows),
        "to_review": sum(row["state"] == CorrectionState.TO_REVIEW for row in rows),
        "unreported": sum(row["reported_on"] is None for row in rows),
        "expiring": sum(is_expiring(row) for row in rows),
        "by_age": _count([*(name for _, name in _AGES), _OLDEST], map(_get_age, rows)),
        "by_owner": _rank(row["owner"] for row in rows),
        "by_field": _rank(row["field"] for row in rows),
    }


def is_expiring(row: dict[str, Any]) -> bool:
    """Return True if a correction of `get_debt` ends within 30 days."""
    return row["days_left"] is not None and row["days_left"] <= EXPIRING_DAYS


def _get_age(row: dict[str, Any]) -> str:
    days = row["days_since_approval"] or 0
    return next((name for most, name in _AGES if days <= most), _OLDEST)


def _count(names: list[str], values: Iterable[str]) -> list[dict[str, Any]]:
    counter = Counter(values)
    return [{"value": name, "corrections": counter[name]} for name in names]


def _rank(values: Iterable[str | None]) -> list[dict[str, Any]]:
    """Count values, the most frequent first."""
    counted = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0] or ""))
    return [{"value": value, "corrections": number} for value, number in counted]


def _describe(correction: Correction, day: dt.date, user: Any) -> dict[str, Any]:
    approved_at, told_on, last_day = (
        correction.approved_at,
        correction.reported_on,
        correction.valid_to,
    )
    owner = correction.proposed_by
    return {
        "number": correction.number,
        "subject": correction.subject,
        **{name: getattr(correction, name) or None for name in ("isin", "register", "lei", "mic")},
        "field": correction.field,
        "state": str(correction.state),
        "owner": owner if user is None or may_see_user_name(user, owner) else None,
        "days_since_approval": (day - approved_at.date()).days if approved_at else None,
        "reported_on": to_plain(told_on),
        "days_since_report": (day - told_on).days if told_on else None,
        "days_left": (last_day - day).days if last_day else None,
    }
