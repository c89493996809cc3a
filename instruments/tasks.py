"""What workers do with instruments; as esma_files/tasks.py."""

import logging

from celery import shared_task

from esma_files import queue
from esma_files.models import EsmaFile, Run
from instruments import pipeline

logger = logging.getLogger(__name__)


@shared_task(name="instruments.load_waiting")
def load_waiting() -> None:
    """Ask for a load of each file that waits for one; the workers share them."""
    for file in EsmaFile.objects.waiting().exclude(
        pk__in=Run.objects.open().of(Run.Kind.LOAD).files()
    ):
        queue.ask(Run.Kind.LOAD, file=file)


@shared_task(name="instruments.load")
def load(run_id: int) -> None:
    run = Run.objects.claim(run_id)
    if run is not None and run.file is not None:
        for loaded in pipeline.load([run.file], run=run):
            if loaded.error:
                logger.error("%s", loaded.error)
