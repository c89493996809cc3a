"""Heartbeats that Celery's worker and beat write to the database while they run.

The worker reports from its main process, by Celery's own timer: when it has lost its connection to the
message queue, or hangs, the reports stop.
"""

import datetime as dt
import logging
import os
import signal
import threading
import time
from typing import Any

from celery import bootsteps
from celery.beat import PersistentScheduler
from django.apps import apps
from django.db import DatabaseError, connection
from django.db.utils import InterfaceError

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 15
_CLOCK_SKEW = dt.timedelta(seconds=5)  # by which a clock is set in passing
# A process that reports is stopped when the process with the number in this variable has ended.
SUPERVISOR_VARIABLE = "MARKETDATA_SUPERVISOR"


_SQLITE_WAIT_MILLISECONDS = 2000

# No connection to the database may be open, or in use by another thread, while the worker forks.
_reporting = threading.RLock()
os.register_at_fork(
    before=_reporting.acquire,
    after_in_parent=_reporting.release,
    after_in_child=_reporting.release,
)


def report(role: str, **fields: Any) -> None:
    """Write a heartbeat of this process; if the database is busy, the next one will do."""
    from marketdata import __version__  # noqa: PLC0415  # which imports this module

    _stop_without_supervisor()
    with _reporting:
        try:
            if connection.vendor == "sqlite":
                with connection.cursor() as cursor:
                    cursor.execute(f"PRAGMA busy_timeout = {_SQLITE_WAIT_MILLISECONDS}")
            _heartbeats().report(role, version=__version__, **fields)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("No heartbeat could be written: %s", error)
        finally:
            connection.close()


def sign_off() -> None:
    """Remove the heartbeat of this process."""
    with _reporting:
        try:
            _heartbeats().sign_off()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The heartbeat could not be removed: %s", error)
        finally:
            connection.close()


def _heartbeats() -> Any:
    return apps.get_model("esma_files", "Heartbeat").objects


def _stop_without_supervisor() -> None:
    """End this process if its supervisor was killed: a new supervisor starts processes of its own."""
    supervisor = os.environ.get(SUPERVISOR_VARIABLE, "")
    if supervisor and os.getppid() != int(supervisor):
        logger.error("The supervisor has ended: this process stops too.")
        os.kill(os.getpid(), signal.SIGTERM)


class WorkerHeartbeat(bootsteps.StartStopStep):
    """A step of Celery's worker that reports at intervals."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, worker: Any, **options: Any) -> None:
        self._entry: Any = None
        self._processes = 1
        super().__init__(worker, **options)

    def start(self, worker: Any) -> None:
        self._processes = worker.concurrency
        self._entry = worker.timer.call_repeatedly(INTERVAL_SECONDS, self._report)
        self._report()

    def stop(self, worker: Any) -> None:
        if self._entry is not None:
            self._entry.cancel()
            self._entry = None
            sign_off()

    def terminate(self, worker: Any) -> None:
        self.stop(worker)

    def _report(self) -> None:
        report("worker", processes=self._processes)


class ReportingScheduler(PersistentScheduler):
    """Celery's scheduler, which reports at intervals, and goes on after the clock was set back."""

    _reported_at = float("-inf")

    def tick(self, *args: Any, **options: Any) -> Any:
        self._forget_the_future()
        if time.monotonic() - self._reported_at >= INTERVAL_SECONDS:
            report("beat")
            self._reported_at = time.monotonic()
        return min(super().tick(*args, **options), INTERVAL_SECONDS)

    def _forget_the_future(self) -> None:
        """Count tasks that were sent in the future as sent now: they would wait until then."""
        now = self.app.now()
        ahead = [
            entry
            for entry in self.schedule.values()
            if entry.last_run_at and entry.last_run_at > now + _CLOCK_SKEW
        ]
        for entry in ahead:
            entry.last_run_at = now
        if ahead:
            logger.warning("The clock was set back: the schedule goes on from now.")
            self._heap = None  # built anew by the next tick

    def close(self) -> None:
        super().close()
        sign_off()
