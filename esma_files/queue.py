"""Requests for runs. The database records each request; the message queue only wakes a worker."""

import datetime as dt
import logging

from celery import current_app
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from esma_files.models import EsmaFile, Run

logger = logging.getLogger(__name__)

# The Celery task that does runs of each kind, by name: loading belongs to an app above this one.
TASKS = {
    Run.Kind.SYNC: "esma_files.run_sync",
    Run.Kind.DOWNLOAD: "esma_files.run_download",
    Run.Kind.LOAD: "instruments.run_load",
    Run.Kind.DELETE: "esma_files.run_delete",
    Run.Kind.CLEAN: "esma_files.run_clean_up",
}
# A message that no worker has taken for this long is assumed to be lost.
_MESSAGE_LOST_AFTER = dt.timedelta(minutes=15)


def request_run(
    kind: str,
    *,
    file: EsmaFile | None = None,
    requested_by: str = "",
    arguments: dict[str, str] | None = None,
) -> Run:
    """Queue a run, and wake a worker after the transaction is committed.

    Return the existing run instead if one of the same kind, file and arguments is queued or running.
    """
    with transaction.atomic():
        open_runs = Run.objects.open().of(kind).filter(file=file, arguments=arguments or {})
        if (existing := open_runs.first()) is not None:
            return existing
        run = Run.objects.create(
            kind=kind,
            file=file,
            requested_by=requested_by,
            arguments=arguments or {},
            state=Run.State.QUEUED,
        )
        transaction.on_commit(lambda: dispatch(run))
    return run


def dispatch(run: Run) -> None:
    """Send a message for a queued run. If the queue cannot be reached, the schedule does so later."""
    Run.objects.filter(pk=run.pk).update(sent_at=timezone.now())
    try:
        current_app.send_task(TASKS[Run.Kind(run.kind)], args=[run.pk])
    except (OperationalError, OSError) as error:
        Run.objects.filter(pk=run.pk).update(sent_at=None)
        logger.warning("Run %s stays queued: no message could be sent: %s", run.pk, error)


def dispatch_overdue() -> int:
    """Send messages for queued runs whose message was never sent or is lost; return their number."""
    overdue = Q(sent_at=None) | Q(sent_at__lt=timezone.now() - _MESSAGE_LOST_AFTER)
    runs = list(Run.objects.filter(overdue, state=Run.State.QUEUED))
    for run in runs:
        dispatch(run)
    return len(runs)
