"""Log lines for changes of the status of health checks: none while a status stays the same."""

import logging
from collections.abc import Iterable

from monitoring.health.checks import Result, Status

logger = logging.getLogger(__name__)


def log_change(result: Result, *, before: str) -> None:
    """Log the status of a check with its reason, unless its status before was the same."""
    if result.status == before:
        return
    reason = result.error or result.reason
    if result.status == Status.FAILED:
        level = logging.WARNING if result.is_outside else logging.ERROR
        logger.log(level, "The health check %s has failed: %s", result.name, reason)
    elif result.status == Status.WARNING:
        logger.warning("The health check %s warns: %s", result.name, reason)
    else:
        logger.warning("The health check %s is ok again.", result.name)


class Changes:
    """The last statuses that this process has seen; a check counts as ok before its first result."""

    def __init__(self) -> None:
        self._statuses: dict[str, str] = {}

    def log(self, results: Iterable[Result]) -> None:
        """Log the changes of checks of this installation; tasks log those of outside services."""
        for result in results:
            if not result.is_outside:
                log_change(result, before=self._statuses.get(result.name, Status.OK))
                self._statuses[result.name] = result.status
