"""Celery tasks of curation."""

import logging

from celery import shared_task
from django.utils import timezone

from curation import finding, watching
from curation.importing import batches
from instruments.listings.correcting import reapply_due
from instruments.listings.status import today

logger = logging.getLogger(__name__)


@shared_task(name="curation.apply_due_corrections")
def apply_due_corrections() -> None:
    """Apply the corrections that begin today, and end those whose last day is over."""
    if records := reapply_due(today()):
        logger.info("Corrections of %s instruments or others have begun or ended.", records)


@shared_task(name="curation.find_problems")
def find_problems() -> None:
    """Find problems of published data: a scan of the large tables for each kind, by night."""
    finding.find_all()


@shared_task(name="curation.delete_old_imports")
def delete_old_imports() -> None:
    """Delete imports older than IMPORTS_KEEP_DAYS; what they imported, and its events, stay."""
    if deleted := batches.delete_old(timezone.now()):
        logger.info("%s old imports have been deleted.", deleted)


@shared_task(name="curation.mail_watch_lists")
def mail_watch_lists() -> None:
    """Mail the changes of watch lists to their owners."""
    watching.send_mails()
