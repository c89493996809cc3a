"""Checks of the parts of this installation. Each returns an outcome or raises; none uses outside services.

Readiness checks decide whether a process may be sent requests. The others tell people what to look at:
docs/operations.md describes each.
"""

import dataclasses
import datetime as dt
import logging
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.core.cache import caches
from django.core.files.storage import storages
from django.db import DatabaseError, connection
from django.db.models import Max
from django.utils import timezone

from esma_files import gaps, queue, usage
from esma_files.datasets import Dataset
from esma_files.models import EsmaFile, Heartbeat
from esma_files.models.heartbeat import HeartbeatQuerySet
from instruments import replica
from marketdata.common import disks
from marketdata.common.numbers import format_count
from monitoring.databases.check import pending_migrations
from monitoring.models import CheckResult

if TYPE_CHECKING:  # slow to import, and only used if it is configured
    from esma_files.storage.blob import BlobStorage

logger = logging.getLogger(__name__)
Status = CheckResult.Status
# Days after the publication of the newest loaded file: deltas are published on working days, the volume cap
# every month.
_OLD_DATA_DAYS_OF_OTHERS = 4
_OLD_DATA_DAYS: dict[str, int] = {Dataset.ESMA_DVCAP: 35}
_BLOB_SECONDS = 3  # for one attempt
# Free bytes of a disk: a load may need the first; with less than the second soon nothing can be saved.
_LITTLE_SPACE, _NO_SPACE = 1_000_000_000, 20_000_000


@dataclasses.dataclass(frozen=True)
class Outcome:
    status: str = Status.OK
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Check:
    """A check by name. With `for_readiness`, a failure takes the process out of service."""

    name: str
    run: Callable[[], Outcome]
    for_readiness: bool = False


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of a check. `since` is None where it has not been recorded yet.

    `error` is the exception that the check has raised, for the log and the command: it may name hosts.
    """

    name: str
    status: str
    reason: str
    milliseconds: float
    since: dt.datetime | None = None
    for_readiness: bool = False
    is_outside: bool = False
    error: str = ""


def check_database() -> Outcome:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchall()
    return Outcome()


class _Migrations:
    """Migrations are only ever applied while a process runs: look for them until none is pending."""

    is_complete = False

    def __call__(self) -> Outcome:
        if not self.is_complete:
            pending = pending_migrations(connection)
            if pending:
                return Outcome(
                    Status.FAILED, f"{len(pending)} not applied: run `manage.py migrate`"
                )
            self.is_complete = True
        return Outcome()


def check_replica() -> Outcome:
    """Compare the data of the read replica with those of the database, which answers while they differ."""
    if not replica.is_configured():
        return Outcome(reason="none is configured")
    try:
        is_current = replica.is_current()
    except DatabaseError:
        logger.warning("The read replica cannot be read.", exc_info=True)
        return Outcome(Status.WARNING, "it cannot be read: the database answers all requests")
    if not is_current:
        return Outcome(Status.WARNING, "it lags behind: the database answers all requests")
    return Outcome()


def check_cache() -> Outcome:
    """Write to the cache in which all processes count requests, and read from it."""
    cache, key = caches["counts"], f"health-{uuid.uuid4()}"
    cache.add(key, 1, timeout=10)
    if cache.incr(key) != 2:
        return Outcome(Status.FAILED, "the cache does not return what was written")
    return Outcome()


def check_storage() -> Outcome:
    """Write a temporary file into the folder for files, or ask Blob Storage for a container."""
    if settings.FILES_LOCATION == EsmaFile.Location.LOCAL:
        folder = Path(settings.MEDIA_ROOT)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"health check")
            file.flush()
    else:
        blobs = cast("BlobStorage", storages[settings.FILES_LOCATION])
        client = blobs.container("firds").client
        client.exists(retry_total=0, connection_timeout=_BLOB_SECONDS, read_timeout=_BLOB_SECONDS)
    return Outcome()


def check_disks() -> Outcome:
    """Look for little free space on the disks to which the service writes."""
    folders = [settings.STAGING_DIR, settings.DOWNLOAD_DIR, settings.QUEUE_DIR]
    if connection.vendor == "sqlite":
        folders.append(connection.settings_dict["NAME"])
    if settings.FILES_LOCATION == EsmaFile.Location.LOCAL:
        folders.append(settings.MEDIA_ROOT)
    for status, at_least, places in (
        (Status.FAILED, _NO_SPACE, [*folders, tempfile.gettempdir()]),
        (Status.WARNING, _LITTLE_SPACE, folders),
    ):
        place, free = disks.find_fullest(*places)
        if free < at_least:
            return Outcome(status, f"the disk of {disks.describe_space(place)}")
    return Outcome()


def check_queue() -> Outcome:
    waiting = queue.messages_waiting()
    if waiting is None:
        return Outcome(Status.FAILED, "the message queue cannot be reached")
    return Outcome(reason=f"{waiting} messages waiting")


def check_workers() -> Outcome:
    alive = Heartbeat.objects.workers().alive()
    if not alive:
        silence = _describe_silence(Heartbeat.objects.workers(), "worker")
        return Outcome(Status.FAILED, silence or queue.NO_WORKER)
    return Outcome(reason=f"{len(alive)} running")


def check_schedule() -> Outcome:
    alive = Heartbeat.objects.schedulers().alive()
    if len(alive) > 1:
        hosts = ", ".join(sorted({heartbeat.host for heartbeat in alive}))
        return Outcome(Status.WARNING, f"{len(alive)} schedules are running, on {hosts}")
    if not alive:
        reason = "No schedule is running: `manage.py run_worker` starts it with a worker."
        silence = _describe_silence(Heartbeat.objects.schedulers(), "schedule")
        return Outcome(Status.FAILED, silence or reason)
    return Outcome()


def _describe_silence(heartbeats: HeartbeatQuerySet, name: str) -> str:
    """Return how long the last process has been silent; "" if there is none, or it is known to have ended."""
    last = heartbeats.order_by("-seen_at").first()
    if last is None or last.has_ended:
        return ""
    seconds = round((timezone.now() - last.seen_at).total_seconds())
    return (
        f"No {name} has reported for {seconds:,} s: it has ended, hangs, or could not write to the database,"
        " as while another process locks it. If it has ended, start `manage.py run_worker`."
    )


def check_data_age() -> Outcome:
    """Look at each followed dataset: a new file of one must not hide that another one is old."""
    loaded = EsmaFile.objects.ever_loaded().filter(dataset__in=settings.REGISTERS)
    by_dataset = loaded.order_by().values("dataset").annotate(newest=Max("published_on"))
    newest: dict[str, dt.date] = dict(by_dataset.values_list("dataset", "newest"))
    today, status, reasons = timezone.localdate(), Status.OK, []
    for dataset in settings.REGISTERS:
        if dataset not in newest:
            status = Status.WARNING
            reasons.append(f"{Dataset(dataset).label}: no file has been loaded")
            continue
        days = (today - newest[dataset]).days
        if days > _OLD_DATA_DAYS.get(dataset, _OLD_DATA_DAYS_OF_OTHERS):
            status = Status.WARNING
        reasons.append(
            f"{Dataset(dataset).label}: the newest loaded file was published on {newest[dataset]},"
            f" {format_count(days, 'day')} ago"
        )
    return Outcome(status, "; ".join(reasons))


def check_gaps() -> Outcome:
    missing = gaps.find()
    if not missing:
        return Outcome()
    return Outcome(
        Status.WARNING, f"{format_count(len(missing), 'gap')}, the newest: {missing[-1]}"
    )


def check_failed_files() -> Outcome:
    failed = EsmaFile.objects.filter(state=EsmaFile.State.FAILED).count()
    if not failed:
        return Outcome()
    return Outcome(Status.WARNING, f"{failed} failed; also `manage.py files list --state failed`")


def check_held_files() -> Outcome:
    held = EsmaFile.objects.filter(state=EsmaFile.State.HELD).count()
    if not held:
        return Outcome()
    return Outcome(Status.WARNING, f"{held} held; also `manage.py files list --state held`")


def check_storage_budget() -> Outcome:
    used, budget = usage.bytes_used(), settings.STORAGE_BUDGET_BYTES
    percent = 100 * used / budget
    reason = f"{percent:.0f} % of {budget:,} bytes used"
    if used >= budget:
        return Outcome(Status.FAILED, f"{reason}: downloads are suspended")
    return Outcome(
        Status.WARNING if percent >= settings.STORAGE_WARN_PERCENT else Status.OK, reason
    )


CHECKS = (
    Check("database", check_database, for_readiness=True),
    Check("migrations", _Migrations(), for_readiness=True),
    Check("replica", check_replica),
    Check("cache", check_cache, for_readiness=True),
    Check("storage", check_storage, for_readiness=True),
    Check("disks", check_disks),
    Check("queue", check_queue),
    Check("workers", check_workers),
    Check("schedule", check_schedule),
    Check("data_age", check_data_age),
    Check("gaps", check_gaps),
    Check("failed_files", check_failed_files),
    Check("held_files", check_held_files),
    Check("storage_budget", check_storage_budget),
)
