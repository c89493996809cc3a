"""Corrections and imports as dictionaries of plain values, for the API and the commands."""

from typing import Any

from curation.models import ImportBatch
from instruments.models import Correction
from marketdata.common.plain import describe_columns, to_plain
from marketdata.web.access import may_see_user_name

_CODES = ("register", "isin", "lei", "mic")
_COLUMNS = ("field", "reason", "state", "remark")
_TIMES = ("valid_from", "valid_to", "reported_on", "proposed_at", "approved_at", "closed_at")


def describe_correction(correction: Correction, *, user: Any = None) -> dict[str, Any]:
    """Return all of a correction. Names of users are null for a user who may not see them.

    Without `user`, as in commands, they are always shown.
    """

    def show(name: str) -> str | None:
        is_visible = user is None or may_see_user_name(user, name)
        return name if name and is_visible else None

    return {
        "number": correction.number,
        "subject": correction.subject,
        **{name: getattr(correction, name) or None for name in _CODES},
        **describe_columns(correction, _COLUMNS),
        "expected": to_plain(correction.expected_value),
        "value": to_plain(correction.right_value),
        "evidence": correction.evidence or None,
        "proposed_by": show(correction.proposed_by),
        "approved_by": show(correction.approved_by),
        **describe_columns(correction, _TIMES),
    }


def describe_batch(batch: ImportBatch, *, user: Any = None) -> dict[str, Any]:
    """Return an import with the fate of each row; names of users as in `describe_correction`."""

    def show(name: str) -> str | None:
        return name if name and (user is None or may_see_user_name(user, name)) else None

    return {
        "number": batch.pk,
        "kind": batch.kind,
        "file_name": batch.file_name,
        "created_at": to_plain(batch.created_at),
        "created_by": show(batch.created_by),
        "committed_at": to_plain(batch.committed_at),
        "committed_by": show(batch.committed_by),
        "counts": batch.counts,
        "rows": batch.report,
    }
