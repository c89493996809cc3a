"""Celery tasks that load files; the rules in esma_files/tasks.py hold here too."""

import logging

from celery import shared_task

from esma_files import queue
from esma_files.models import EsmaFile, Run
from instruments import interrupted, pipeline
from instruments.enrichment import coverage
from instruments.enrichment import steps as enrichment
from instruments.list_files import answering, keeping
from instruments.listings import figures
from instruments.venues import load as venues
from instruments.webhooks import sending
from marketdata.common.errors import MarketDataError

logger = logging.getLogger(__name__)


@shared_task(name="instruments.undo_interrupted_loads")
def undo_interrupted_loads() -> None:
    """Take out what ended processes have merged of files that they did not finish."""
    interrupted.undo_all()


@shared_task(name="instruments.request_loads")
def request_loads() -> None:
    """Request a load of each stored file that has not been loaded yet."""
    for file in EsmaFile.objects.waiting().exclude(
        pk__in=Run.objects.open().of(Run.Kind.LOAD).files()
    ):
        queue.request_run(Run.Kind.LOAD, file=file)


@shared_task(name="instruments.run_load")
def run_load(run_id: int) -> None:
    run = Run.objects.claim(run_id)
    if run is not None and run.file is not None:
        venues.load_bundled_if_none()
        for loaded in pipeline.load([run.file], run=run):
            if loaded.error:
                logger.error("%s", loaded.error)


@shared_task(name="instruments.request_enrichment")
def request_enrichment() -> None:
    """Request a run for instruments that were never asked for, or long ago."""
    queue.request_run(Run.Kind.ENRICH)


@shared_task(name="instruments.run_enrich")
def run_enrich(run_id: int) -> None:
    if run := Run.objects.claim(run_id):
        try:
            enrichment.enrich(run=run)
        except MarketDataError as error:
            logger.error("%s", error)


@shared_task(name="instruments.run_answer")
def run_answer(run_id: int) -> None:
    if run := Run.objects.claim(run_id):
        try:
            answering.answer(run)
        except MarketDataError as error:
            logger.error("%s", error)


@shared_task(name="instruments.delete_expired_lists")
def delete_expired_lists() -> None:
    """Delete lists and their answers some days after they were sent."""
    keeping.delete_expired()


@shared_task(name="instruments.recount_coverage")
def recount_coverage() -> None:
    """Count by category how many instruments have a legal entity, FIGIs and transparency results."""
    coverage.recount()


@shared_task(name="instruments.count_figures")
def count_figures() -> None:
    """Count the figures of analytics."""
    figures.recount()


@shared_task(name="instruments.send_webhooks")
def send_webhooks() -> None:
    """Send what has changed to the webhooks that are due."""
    sending.send_due()
