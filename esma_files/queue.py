"""Handing runs to workers. The database remembers what was asked for; the queue only wakes a worker."""

import datetime as dt
import logging

from celery import current_app
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from esma_files.models import EsmaFile, Run

logger = logging.getLogger(__name__)

# The task that does a run of each kind. By name: loading belongs to an app above this one.
_TASKS = {
    Run.Kind.SYNC: "esma_files.sync",
    Run.Kind.DOWNLOAD: "esma_files.download",
    Run.Kind.LOAD: "instruments.load",
    Run.Kind.DELETE: "esma_files.delete",
    Run.Kind.CLEAN: "esma_files.clean_up",
}
# A message that nobody has answered for so long is taken for lost.
_LOST_AFTER = dt.timedelta(minutes=15)


def ask(
    kind: str,
    *,
    file: EsmaFile | None = None,
    by: str = "",
    arguments: dict[str, str] | None = None,
) -> Run:
    """Queue a run and wake a worker once the transaction is committed.

    Where one of the same kind and file is waiting or at work already, that one is returned.
    """
    with transaction.atomic():
        open_runs = Run.objects.open().of(kind).filter(file=file, arguments=arguments or {})
        if (same := open_runs.first()) is not None:
            return same
        run = Run.objects.create(
            kind=kind, file=file, asked_by=by, arguments=arguments or {}, state=Run.State.QUEUED
        )
        transaction.on_commit(lambda: send(run))
    return run


def send(run: Run) -> None:
    """Wake a worker; where the queue cannot be reached, the schedule does it later."""
    Run.objects.filter(pk=run.pk).update(sent_at=timezone.now())
    try:
        current_app.send_task(_TASKS[Run.Kind(run.kind)], args=[run.pk])
    except (OperationalError, OSError) as error:
        Run.objects.filter(pk=run.pk).update(sent_at=None)
        logger.warning("Run %s could not be queued, and waits: %s", run.pk, error)


def send_lost() -> int:
    """Wake workers for runs that were asked for and that no worker has begun; returns how many."""
    lost = Q(sent_at=None) | Q(sent_at__lt=timezone.now() - _LOST_AFTER)
    runs = list(Run.objects.filter(lost, state=Run.State.QUEUED))
    for run in runs:
        send(run)
    return len(runs)
