"""Celery tasks about files: the schedule's `request_...` tasks queue runs, the `run_...` tasks do them.

Each task may be delivered more than once: only the worker that claims a run works on it. Work that may
succeed later is postponed in the database (EsmaFile.put_off), so that neither a lost message nor a restart of
the queue forgets it; the schedule requests it again when it is due.
"""

import datetime as dt
import logging

from celery import shared_task
from celery.signals import task_postrun, task_prerun, worker_process_init
from celery.states import FAILURE
from django.conf import settings

from esma_files import downloading, queue, runs, steps, usage
from esma_files.models import EsmaFile, Run
from marketdata.common import logs
from marketdata.common.errors import MarketDataError

logger = logging.getLogger(__name__)


@worker_process_init.connect(weak=False)
def release_work_of_the_predecessor(**signal: object) -> None:
    """Recover the work of the process that this new one replaces, if it was killed."""
    runs.release_abandoned()


# Not `task_failure`: that is also sent in the worker's main process, which must open no connection to the
# database, for it forks.
@task_prerun.connect(weak=False)
def release_work_of_the_last_task(**signal: object) -> None:
    """Release what an earlier task of this process has left."""
    runs.release_left_behind()


@task_postrun.connect(weak=False)
def end_task(state: str, **signal: object) -> None:
    """Release at once what a failed task has left; log lines after a task do not belong to its run."""
    logs.run_id.set(None)
    if state == FAILURE:
        runs.release_left_behind()


@shared_task(name="esma_files.recover_abandoned_work")
def recover_abandoned_work() -> None:
    """Release files and runs of workers that have ended, and send lost messages again."""
    runs.release_abandoned()
    queue.dispatch_overdue()


@shared_task(name="esma_files.request_syncs")
def request_syncs() -> None:
    """Request a sync of each dataset in settings.REGISTERS."""
    for dataset in settings.REGISTERS:
        queue.request_run(Run.Kind.SYNC, arguments={"dataset": dataset})


@shared_task(name="esma_files.run_sync")
def run_sync(run_id: int) -> None:
    if run := Run.objects.claim(run_id):
        since = run.arguments.get("since")
        try:
            steps.sync(
                run.arguments["dataset"],
                since=dt.date.fromisoformat(since) if since else None,
                run=run,
            )
        except MarketDataError as error:
            logger.error("%s", error)


@shared_task(name="esma_files.request_downloads")
def request_downloads() -> None:
    """Request the download of each file that the settings select, newest first, within the budget."""
    if usage.bytes_used() >= settings.STORAGE_BUDGET_BYTES:
        logger.warning(
            "Downloads are suspended: STORAGE_BUDGET_BYTES is used up."
            " Delete files with `manage.py clean_files` or raise the budget."
        )
        return
    due = EsmaFile.objects.selected().due(EsmaFile.State.LISTED).order_by("-sequence")
    for file in due.exclude(pk__in=Run.objects.open().of(Run.Kind.DOWNLOAD).files()):
        queue.request_run(Run.Kind.DOWNLOAD, file=file)


@shared_task(name="esma_files.run_download")
def run_download(run_id: int) -> None:
    run = Run.objects.claim(run_id)
    if run is not None and run.file is not None:
        for result in downloading.download([run.file], run=run):
            if result.error:
                logger.error("%s", result.error)


@shared_task(name="esma_files.request_clean_up")
def request_clean_up() -> None:
    queue.request_run(Run.Kind.CLEAN)


@shared_task(name="esma_files.run_clean_up")
def run_clean_up(run_id: int) -> None:
    if run := Run.objects.claim(run_id):
        steps.clean_up(run=run)


@shared_task(name="esma_files.run_delete")
def run_delete(run_id: int) -> None:
    run = Run.objects.claim(run_id)
    if run is not None and run.file is not None:
        try:
            steps.delete(run.file, run=run)
        except MarketDataError as error:
            logger.error("%s", error)
