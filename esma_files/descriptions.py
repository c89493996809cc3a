"""Files, runs, gaps and rejected records as dictionaries of plain values.

This is the form in which the API and the commands present them. The OpenAPI schema documents the same
dictionaries with the serializers of `esma_files.api`.
"""

from collections.abc import Iterable
from typing import Any

from esma_files import queue
from esma_files.gaps import Gap
from esma_files.models import EsmaFile, RejectedRecord, Run
from marketdata.common.plain import describe_columns
from marketdata.web.access import may_see_user_name

FILE_COLUMNS = (
    *("id", "name", "dataset", "kind", "category", "result_group", "published_on", "part"),
    *("parts", "revision", "md5", "url", "listed_at", "state", "state_since", "problem"),
    *("attempts", "not_before", "location", "tier", "size", "stored_at", "loaded_at", "kept"),
    "is_excerpt",
)
RUN_COLUMNS = (
    *("id", "kind", "file", "arguments", "requested_by", "requested_at", "attempt", "state"),
    *("obstacle", "started_at", "ended_at", "seconds", "share", "done", "unit", "read", "new"),
    *("changed", "ended", "dropped", "late", "unchanged", "rejected", "outside", "unmapped"),
    *("report", "problem"),
)
REJECT_COLUMNS = (
    *("id", "file", "dataset", "position", "isin", "mic", "field", "value", "reason", "record"),
)
_GAP_COLUMNS = (
    *("dataset", "kind", "category", "result_group", "day", "until", "count", "parts"),
    *("is_listed", "warning"),
)
_COMPUTED = ("file", "requested_by", "obstacle", "dataset")
_RUNS_OF_FILE = 10


def describe_file(file: EsmaFile) -> dict[str, Any]:
    """Return a published file and its state."""
    return describe_columns(file, FILE_COLUMNS)


def describe_file_details(file: EsmaFile, *, user: Any = None) -> dict[str, Any]:
    """Return a file, the keys of all revisions of its name (newest first), and its last ten runs.

    `user` is the reader; see `describe_runs`.
    """
    revisions = EsmaFile.objects.named(file.name, dataset=file.dataset)
    return {
        **describe_file(file),
        "revisions": list(revisions.values_list("pk", flat=True)),
        "runs": describe_runs(file.runs.select_related("file")[:_RUNS_OF_FILE], user=user),
    }


def describe_runs(runs: Iterable[Run], *, user: Any = None) -> list[dict[str, Any]]:
    """Return runs with their progress and result, and why no worker can take a queued one.

    The name of who requested a run is None where `user` may not see it; a command, without a user, may.
    One query for the workers, if a run is queued.
    """
    rows = list(runs)
    is_worked = any(run.state == Run.State.QUEUED for run in rows) and queue.has_worker()
    return [_describe_run(run, user, is_worked=is_worked) for run in rows]


def _describe_run(run: Run, user: Any, *, is_worked: bool) -> dict[str, Any]:
    name = run.requested_by
    is_visible = user is None or not name or may_see_user_name(user, name)
    is_queued = run.state == Run.State.QUEUED
    return {
        **describe_columns(run, (name for name in RUN_COLUMNS if name not in _COMPUTED)),
        "file": run.file.name if run.file else None,
        "requested_by": name if is_visible else None,
        "obstacle": queue.obstacle(run, is_worked=is_worked) if is_queued else "",
    }


def describe_gap(gap: Gap) -> dict[str, Any]:
    """Return a publication of a register that is missing, or a delta that has to be fetched in time."""
    return {**describe_columns(gap, _GAP_COLUMNS), "missing_parts": list(gap.missing_parts)}


def describe_reject(reject: RejectedRecord) -> dict[str, Any]:
    """Return an invalid value of a record, and the record as it was published."""
    return {
        **describe_columns(reject, (name for name in REJECT_COLUMNS if name not in _COMPUTED)),
        "file": reject.file.name,
        "dataset": reject.file.dataset,
    }
