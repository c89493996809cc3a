"""Requests for runs. The database records each request; the message queue only wakes a worker."""

import datetime as dt
import itertools
import logging
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import ChannelError, OperationalError

from esma_files import processes
from esma_files.models import EsmaFile, Heartbeat, Run

logger = logging.getLogger(__name__)

NO_WORKER = "No worker is running: start one with `manage.py run_worker`."
# The Celery task that does runs of each kind, by name: loading belongs to an app above this one.
TASKS = {
    Run.Kind.SYNC: "esma_files.run_sync",
    Run.Kind.DOWNLOAD: "esma_files.run_download",
    Run.Kind.LOAD: "instruments.run_load",
    Run.Kind.DELETE: "esma_files.run_delete",
    Run.Kind.CLEAN: "esma_files.run_clean_up",
    Run.Kind.ENRICH: "instruments.run_enrich",
    Run.Kind.ANSWER: "instruments.run_answer",
}
# A message is assumed to be lost if it was sent this long ago and the message queue is empty...
_MESSAGE_LOST_AFTER = dt.timedelta(seconds=30)
# ... or if it was sent this long ago.
_MESSAGE_LOST_FOR_CERTAIN_AFTER = dt.timedelta(minutes=15)


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


def dispatch(run: Run) -> bool:
    """Send a message for a queued run, and return whether that was possible.

    If the queue cannot be reached, the schedule does so later.
    """
    _keep_sent_at(run, timezone.now())
    try:
        current_app.send_task(TASKS[Run.Kind(run.kind)], args=[run.pk])
    except (OperationalError, OSError) as error:
        _keep_sent_at(run, None)
        logger.warning("Run %s stays queued: no message could be sent: %s", run.pk, error)
        return False
    return True


def _keep_sent_at(run: Run, sent_at: dt.datetime | None) -> None:
    """Change the row while it is queued, and `run` too: answers to requests for a run describe it from there.

    A worker may have claimed the run meanwhile. Then it was sent, whatever became of this message.
    """
    run.sent_at = sent_at
    Run.objects.filter(pk=run.pk, state=Run.State.QUEUED).update(sent_at=sent_at)


def dispatch_overdue() -> int:
    """Send messages for queued runs whose message was never sent or is lost; return their number.

    Stop at the first that cannot be sent: each takes seconds to fail.
    """
    lost_after = _MESSAGE_LOST_FOR_CERTAIN_AFTER
    if messages_waiting() == 0:
        lost_after = _MESSAGE_LOST_AFTER
    overdue = Q(sent_at=None) | Q(sent_at__lt=timezone.now() - lost_after)
    runs = Run.objects.filter(overdue, state=Run.State.QUEUED)
    return sum(1 for _ in itertools.takewhile(dispatch, runs))


def messages_waiting() -> int | None:
    """Return the number of messages that no worker has taken; None if the queue cannot be reached."""
    try:
        with current_app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1)
            name = current_app.conf.task_default_queue
            channel: Any = connection.default_channel
            return int(channel.queue_declare(name, passive=True).message_count)
    except ChannelError:
        return 0  # Redis has no empty queues
    except (OperationalError, OSError):
        return None


def has_worker() -> bool:
    """True if a worker runs that can take queued runs."""
    return bool(Heartbeat.objects.workers().alive())


class StallDetector:
    """Find out whether a worker hangs: queued runs wait, and no process does any run.

    A worker may hang although it reports: after it has lost the queue, or a process of its pool to which it
    had given a message. A worker that works waits too when the messages are lost, and the task that sends
    them again is itself a message. So they are sent again first: only a worker that then takes none hangs.
    """

    def __init__(self, seconds: float) -> None:
        self._patience = dt.timedelta(seconds=seconds)
        self._sent_again_at: dt.datetime | None = None

    def has_stalled(self) -> bool:
        """Return whether no run was begun within `seconds` after the messages were sent again."""
        now = timezone.now()
        if not self._is_work_waiting(now):
            self._sent_again_at = None
            return False
        if self._sent_again_at is None:
            queued = Run.objects.filter(state=Run.State.QUEUED)
            # A queue in a file cannot be sent to either while a worker that hangs has locked it.
            if all(map(dispatch, queued)) or not settings.REDIS_URL:
                self._sent_again_at = timezone.now()
            return False
        if now - self._sent_again_at < self._patience:
            return False
        self._sent_again_at = None
        return True

    def _is_work_waiting(self, now: dt.datetime) -> bool:
        since = now - self._patience
        if not Run.objects.filter(state=Run.State.QUEUED, requested_at__lt=since).exists():
            return False
        workers = Run.objects.filter(state=Run.State.RUNNING).values_list("claimed_by", flat=True)
        return all(processes.has_ended(worker) for worker in workers)


def obstacle(run: Run, *, is_worked: bool) -> str:
    """Return the reason why no worker can take a queued run; "" if there is none.

    `is_worked` is the result of `has_worker`, which needs to be asked only once for many runs.
    """
    if run.state != Run.State.QUEUED:
        return ""
    if not is_worked:
        return NO_WORKER
    if run.sent_at is None:
        return (
            "No message has been sent yet. The schedule sends it within a minute, if the message queue can"
            " be reached."
        )
    return ""
