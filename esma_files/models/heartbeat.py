"""Heartbeats of workers and of beat: which of them run, on which host, and since when."""

import datetime as dt
import os
import socket
from typing import Any

from django.db import models
from django.utils import timezone

from esma_files import processes

# The age at which the last report of a process is overdue: it reports every 15 seconds, but not while a load
# keeps the database locked, which may take ten seconds.
MISSING_AFTER = dt.timedelta(seconds=60)
# A host of which no worker has reported for so long is assumed to be gone, with everything it worked on.
HOST_GONE_AFTER = dt.timedelta(minutes=5)
_KEPT_FOR = dt.timedelta(days=1)


class HeartbeatQuerySet(models.QuerySet["Heartbeat"]):
    def workers(self) -> "HeartbeatQuerySet":
        return self.filter(role=self.model.Role.WORKER)

    def schedulers(self) -> "HeartbeatQuerySet":
        return self.filter(role=self.model.Role.BEAT)

    def recent(self) -> "HeartbeatQuerySet":
        """Heartbeats that are not overdue."""
        return self.filter(seen_at__gt=timezone.now() - MISSING_AFTER)

    def alive(self) -> "list[Heartbeat]":
        """Return the heartbeats of processes that run, as far as this host can tell."""
        return [heartbeat for heartbeat in self.recent() if not heartbeat.has_ended]

    def hosts_gone(self) -> set[str]:
        """Return the hosts that had workers and of which none has reported for HOST_GONE_AFTER."""
        last_seen = self.workers().values("host").annotate(last=models.Max("seen_at"))
        oldest = timezone.now() - HOST_GONE_AFTER
        return {row["host"] for row in last_seen if row["last"] < oldest}

    def report(self, role: str, **fields: Any) -> None:
        """Record that this process runs."""
        identity = processes.current_process()
        now = timezone.now()
        if not self.filter(identity=identity).update(seen_at=now, **fields):
            self.filter(seen_at__lt=now - _KEPT_FOR).delete()
            self.create(
                identity=identity,
                role=role,
                host=socket.gethostname(),
                pid=os.getpid(),
                started_at=now,
                seen_at=now,
                **fields,
            )

    def sign_off(self) -> None:
        """Remove the heartbeat of this process, which ends in an orderly way."""
        self.filter(identity=processes.current_process()).delete()


class Heartbeat(models.Model):
    """The last report of a process that works in the background. Kept for a day after it has ended."""

    class Role(models.TextChoices):
        WORKER = "worker", "Worker"
        BEAT = "beat", "Scheduler (beat)"

    identity = models.CharField(max_length=100, unique=True, help_text="host/pid/start")
    role = models.CharField(max_length=10, choices=Role)
    host = models.CharField(max_length=100)
    pid = models.PositiveIntegerField()
    version = models.CharField(max_length=50, blank=True, help_text="version of MarketData")
    processes = models.PositiveSmallIntegerField(
        default=1, help_text="runs that the worker does at the same time"
    )
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="time of the last report")

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        ordering = ["role", "host", "pid"]

    def __str__(self) -> str:
        return f"{self.role} {self.pid} on {self.host}"

    @property
    def has_ended(self) -> bool:
        """True if the process certainly has ended; only known of processes of this host."""
        return processes.has_ended(self.identity)
