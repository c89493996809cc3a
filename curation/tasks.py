"""Celery tasks of corrections."""

import logging

from celery import shared_task

from instruments.listings.correcting import reapply_due
from instruments.listings.status import today

logger = logging.getLogger(__name__)


@shared_task(name="curation.apply_due_corrections")
def apply_due_corrections() -> None:
    """Apply the corrections that begin today, and end those whose last day is over."""
    if instruments := reapply_due(today()):
        logger.info("Corrections of %s instruments have begun or ended.", instruments)
