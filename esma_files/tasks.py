"""What workers do with files. Each task is safe to deliver twice: only who claims a run works on it.

What may succeed later is put off in the database (EsmaFile.put_off), so that neither a lost message
nor a restart of the queue forgets it; the schedule asks for it again when its time has come.
"""

import datetime as dt
import logging

from celery import shared_task
from django.conf import settings

from esma_files import downloading, queue, runs, steps, usage
from esma_files.models import EsmaFile, Run
from marketdata.common.errors import MarketDataError

logger = logging.getLogger(__name__)


@shared_task(name="esma_files.release")
def release() -> None:
    """Take files and runs from dead workers, and wake workers for what still waits."""
    runs.release_abandoned()
    queue.send_lost()


@shared_task(name="esma_files.sync_all")
def sync_all() -> None:
    """Ask each register that is followed what it has published."""
    for dataset in settings.REGISTERS:
        queue.ask(Run.Kind.SYNC, arguments={"dataset": dataset})


@shared_task(name="esma_files.sync")
def sync(run_id: int) -> None:
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


@shared_task(name="esma_files.download_wanted")
def download_wanted() -> None:
    """Ask for each file that the configuration wants, newest first, while there is room."""
    if usage.bytes_used() >= settings.STORAGE_BUDGET_BYTES:
        logger.warning("Nothing is downloaded: STORAGE_BUDGET_BYTES is used up; see clean_files.")
        return
    wanted = EsmaFile.objects.wanted().due(EsmaFile.State.LISTED).order_by("-sequence")
    for file in wanted.exclude(pk__in=Run.objects.open().of(Run.Kind.DOWNLOAD).files()):
        queue.ask(Run.Kind.DOWNLOAD, file=file)


@shared_task(name="esma_files.download")
def download(run_id: int) -> None:
    run = Run.objects.claim(run_id)
    if run is not None and run.file is not None:
        for result in downloading.download([run.file], run=run):
            if result.error:
                logger.error("%s", result.error)


@shared_task(name="esma_files.clean")
def clean() -> None:
    """What the schedule asks for every night."""
    queue.ask(Run.Kind.CLEAN)


@shared_task(name="esma_files.clean_up")
def clean_up(run_id: int) -> None:
    if run := Run.objects.claim(run_id):
        steps.clean_up(run=run)


@shared_task(name="esma_files.delete")
def delete(run_id: int) -> None:
    run = Run.objects.claim(run_id)
    if run is not None and run.file is not None:
        try:
            steps.delete(run.file, run=run)
        except MarketDataError as error:
            logger.error("%s", error)
