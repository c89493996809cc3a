"""Corrections of legal entities and venues: applied after each merge, and put into rows that are read.

These have no derived row, so a corrected value takes the place of the loaded one when it is read. `replaced`
of a correction is the published value while it is replaced; a merge sets it for the codes with corrections.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import Model, Q

from instruments.correctable import CorrectableRow, CorrectionSubject, to_text
from instruments.listings.models.correction import LIVE
from instruments.models import Correction, LegalEntity, Venue
from marketdata.common.batches import in_batches
from marketdata.common.plain import to_plain

MODELS: dict[CorrectionSubject, type[Model]] = {
    CorrectionSubject.ENTITY: LegalEntity,
    CorrectionSubject.VENUE: Venue,
}
# The SQL of the condition that a merge must look at a correction `k`.
_LIVE = ", ".join(f"'{state}'" for state in LIVE)
IS_LIVE = f"(k.state IN ({_LIVE}) OR k.replaced IS NOT NULL)"


def apply(subject: CorrectionSubject, codes: Collection[str]) -> None:
    """Compare the corrections of these codes with the loaded rows, and note which values they replace.

    The caller holds the transaction, and keeps the index of names.
    """
    today = dt.datetime.now(dt.UTC).date()
    about = Correction.objects.about(subject).filter(Q(state__in=LIVE) | ~Q(replaced=None))
    for batch in in_batches(sorted(codes)):
        corrections = list(about.filter(**{f"{subject.key}__in": batch}).order_by("pk"))
        rows = read_rows(subject, [correction.code for correction in corrections])
        for correction in corrections:
            row = rows.get(correction.code)
            _compare(correction, row and to_text(getattr(row, correction.field)), today)


def apply_all(subject: CorrectionSubject) -> None:
    """Do as `apply` for all codes with corrections, where there are few rows, as of venues."""
    about = Correction.objects.about(subject).filter(state__in=LIVE)
    apply(subject, set(about.order_by().values_list(subject.key, flat=True)))


def _compare(correction: Correction, published: str | None, today: dt.date) -> None:
    values = [] if published is None else [published]
    if correction.is_live and (following := correction.compare(values, today)):
        state, remark = following
        correction.advance(state, remark=remark, by="load")
    applies = published is not None and correction.applies_to(published)
    replaced = published if applies else None
    if replaced != correction.replaced:
        correction.replaced = replaced
        Correction.objects.filter(pk=correction.pk).update(replaced=replaced)


def read_rows(subject: CorrectionSubject, codes: Collection[str]) -> dict[str, Any]:
    """Return the loaded rows of at most 500 codes, by code."""
    model = MODELS[subject]
    rows = model._default_manager.filter(**{f"{subject.key}__in": sorted(set(codes))})
    return {str(getattr(row, subject.key)): row for row in rows}


def correct(rows: Sequence[CorrectableRow]) -> None:
    """Put corrected values into entities, or into venues, in memory. One query for 500 rows."""
    if not rows:
        return
    subject = next(key for key, model in MODELS.items() if isinstance(rows[0], model))
    by_code: dict[str, CorrectableRow] = {getattr(row, subject.key): row for row in rows}
    applied = Correction.objects.about(subject).exclude(replaced=None).order_by("field")
    for batch in in_batches(sorted(by_code)):
        for correction in applied.filter(**{f"{subject.key}__in": batch}):
            _put(by_code[correction.code], correction)


def _put(row: Any, correction: Correction) -> None:
    column = row._meta.get_field(correction.field)
    value = correction.right_value
    row.published_values[correction.field] = getattr(row, correction.field)
    row.applied_corrections.append(correction)
    setattr(row, correction.field, "" if value is None and not column.null else value)


def describe_corrections(row: CorrectableRow) -> list[dict[str, Any]]:
    """Return the corrections of a row that `correct` has corrected: field, both values, when and why."""
    return [
        {
            "number": correction.number,
            "field": correction.field,
            "published": to_plain(row.published_values[correction.field]),
            "value": to_plain(getattr(row, correction.field)),
            "state": str(correction.state),
            "reason": correction.reason,
            "evidence": correction.evidence or None,
            "approved_at": to_plain(correction.approved_at),
        }
        for correction in row.applied_corrections
    ]
