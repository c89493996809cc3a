"""The nightly publication."""

import logging

from celery import shared_task

from lake import nightly
from marketdata.common.errors import MarketDataError

logger = logging.getLogger(__name__)


@shared_task(name="lake.publish")
def publish() -> None:
    """Publish all tables, unless today's publication is there, and delete files that are old enough."""
    try:
        for published in nightly.publish():
            logger.info("%s", published)
    except MarketDataError as error:
        logger.error("%s", error)
