"""Runs (a sync, download, load, ...) and the records that loads rejected."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

from esma_files import processes
from esma_files.models.file import EsmaFile
from esma_files.models.heartbeat import Heartbeat
from marketdata.common import logs, telemetry


class RunQuerySet(models.QuerySet["Run"]):
    def of(self, kind: str) -> "RunQuerySet":
        return self.filter(kind=kind)

    def open(self) -> "RunQuerySet":
        """Runs that wait for a worker or are being worked on."""
        return self.filter(state__in=[self.model.State.QUEUED, self.model.State.RUNNING])

    def files(self) -> "models.QuerySet[Run, int]":
        """Primary keys of the files that the runs are about."""
        return self.exclude(file=None).values_list("file", flat=True)

    def claim(self, pk: int) -> "Run | None":
        """Start a queued run; return None if another worker was first or the run has ended."""
        now = timezone.now()
        was_claimed = self.filter(pk=pk, state=self.model.State.QUEUED).update(
            state=self.model.State.RUNNING,
            started_at=now,
            claimed_by=processes.current_process(),
            # A load takes the runs of interrupted files without waiting for their messages. What was queued
            # is repeated if its worker ends, sent or not (`came_by_queue`).
            sent_at=Coalesce("sent_at", now),
        )
        if not was_claimed:
            return None
        logs.run_id.set(pk)
        return self.get(pk=pk)

    def without_worker(self) -> "list[Run]":
        """Return the running runs whose worker has ended.

        Processes of this host are looked up. On other hosts, a worker counts as ended when its host has
        sent no heartbeat for some minutes, and any process after STUCK_AFTER_SECONDS.
        """
        stuck_since = timezone.now() - dt.timedelta(seconds=settings.STUCK_AFTER_SECONDS)
        hosts_gone = Heartbeat.objects.hosts_gone()
        return [
            run
            for run in self.filter(state=self.model.State.RUNNING).select_related("file")
            if processes.has_ended(run.claimed_by)
            or (run.came_by_queue and run.worker_host in hosts_gone)
            or (run.started_at or run.requested_at) < stuck_since
        ]


class Run(models.Model):
    """A piece of work requested by a person, a command or the schedule, usually for one file.

    The counters of a load count records: once it is done, `read` equals
    `new + changed + ended + late + unchanged + rejected + outside`. A load that failed shows what it had
    committed. A sync counts register entries (`new` is files listed for the first time), a clean-up counts
    files (`ended` is files deleted). An enrichment counts instruments asked for as `read`, and what came of
    them as `instruments.enrichment.steps.enrich` says.
    """

    class Kind(models.TextChoices):
        SYNC = "sync", "Sync"
        DOWNLOAD = "download", "Download"
        LOAD = "load", "Load"
        UNDO = "undo", "Undo a load"
        KEEP = "keep", "Keep"
        DELETE = "delete", "Delete"
        CLEAN = "clean", "Clean up"
        ENRICH = "enrich", "Enrich"
        ANSWER = "answer", "Answer a list"

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        ABANDONED = "abandoned", "Abandoned"

    kind = models.CharField(max_length=20, choices=Kind, default=Kind.LOAD)
    file = models.ForeignKey(
        EsmaFile, on_delete=models.CASCADE, related_name="runs", null=True, blank=True
    )
    arguments = models.JSONField(default=dict, blank=True)
    requested_by = models.CharField(
        max_length=150, blank=True, help_text="user name; empty if requested by the schedule"
    )
    requested_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(
        null=True, blank=True, help_text="last time the run was sent to the queue"
    )

    state = models.CharField(max_length=20, choices=State, default=State.RUNNING)
    claimed_by = models.CharField(max_length=100, blank=True)
    attempt = models.PositiveSmallIntegerField(
        default=1, help_text="1, or more if workers ended during earlier attempts"
    )
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    seconds = models.FloatField(default=0, help_text="duration of the work")
    share = models.FloatField(default=0, help_text="progress, from 0 to 1")
    done = models.BigIntegerField(default=0, help_text="progress, counted in `unit`")
    unit = models.CharField(max_length=20, blank=True)

    read = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(default=0, help_text="records added")
    changed = models.PositiveIntegerField(
        default=0, help_text="records that differ from the previous version"
    )
    ended = models.PositiveIntegerField(
        default=0, help_text="records terminated or cancelled, or files deleted"
    )
    dropped = models.PositiveIntegerField(
        default=0,
        help_text="active listings that are missing from the full set completed by this file",
    )
    late = models.PositiveIntegerField(default=0, help_text="records older than the latest version")
    unchanged = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    outside = models.PositiveIntegerField(default=0, help_text="records outside the scope")
    unmapped = models.JSONField(
        default=dict,
        blank=True,
        help_text="elements without a field of this project, with their number",
    )
    report = models.JSONField(default=list, blank=True, help_text="further results, one line each")
    problem = models.TextField(blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-pk"]
        indexes = [
            models.Index(fields=["state", "kind"], name="run_state_idx"),
            models.Index(fields=["-requested_at", "-id"], name="run_requested_idx"),
        ]

    def __str__(self) -> str:
        subject = self.file.name if self.file else self.get_kind_display()
        return f"{subject}, {self.requested_at:%Y-%m-%d %H:%M}"

    @classmethod
    def begin(cls, kind: str, **fields: Any) -> "Run":
        """Create a run that this process works on from now on."""
        run = cls.objects.create(
            kind=kind, started_at=timezone.now(), claimed_by=processes.current_process(), **fields
        )
        logs.run_id.set(run.pk)
        return run

    @property
    def came_by_queue(self) -> bool:
        """True if a worker was asked to do the run; False if a command does it itself."""
        return self.sent_at is not None

    @property
    def worker_host(self) -> str:
        return self.claimed_by.partition("/")[0]

    def abandon(self, *, reason: str = "The worker ended during this run") -> "Run | None":
        """Close a run that nobody works on. Queue and return its next attempt, if it is to have one.

        A run of a command is not repeated, and no run more than MAX_ATTEMPTS times.
        """
        state = self.State
        running = Run.objects.filter(pk=self.pk, state=state.RUNNING, claimed_by=self.claimed_by)
        ended = {"ended_at": timezone.now(), "problem": f"{reason}."}
        if not self.came_by_queue:
            running.update(state=state.ABANDONED, **ended)
            return None
        if self.attempt >= settings.MAX_ATTEMPTS or self._file_has_failed():
            ended["problem"] = f"{reason}, in attempt {self.attempt}."
            running.update(state=state.FAILED, **ended)
            return None
        with transaction.atomic():  # a process killed between the two would lose the run
            if not running.update(state=state.ABANDONED, **ended):
                return None  # another process was first
            next_attempt = Run.objects.create(
                kind=self.kind,
                file=self.file,
                arguments=self.arguments,
                requested_by=self.requested_by,
                attempt=self.attempt + 1,
                state=state.QUEUED,
            )
            problem = f"{ended['problem']} Run {next_attempt.pk} is its next attempt."
            Run.objects.filter(pk=self.pk).update(problem=problem)
        return next_attempt

    def _file_has_failed(self) -> bool:
        if self.file is None:
            return False
        return EsmaFile.objects.filter(pk=self.file.pk, state=EsmaFile.State.FAILED).exists()

    def note(self, *, share: float, done: int, unit: str) -> None:
        """Save the progress and nothing else."""
        self.share, self.done, self.unit = share, done, unit
        self.save(update_fields=["share", "done", "unit"])

    def end(self, *, state: State = State.DONE, problem: str = "") -> None:
        """End the run and save it. `seconds` is the time since its start unless it is set already."""
        self.state, self.problem, self.ended_at = state, problem, timezone.now()
        if state == self.State.DONE:
            self.share = 1
        if not self.seconds and self.started_at:
            self.seconds = (self.ended_at - self.started_at).total_seconds()
        self.save()
        telemetry.report_run(self)


class RejectedRecord(models.Model):
    """An invalid field of a record. The record was not loaded.

    `record` maps the element paths of the record to their text, as published, so that nothing is lost.
    """

    file = models.ForeignKey(EsmaFile, on_delete=models.CASCADE, related_name="rejected_records")
    position = models.PositiveIntegerField(help_text="number of the record in the file, from 1")
    isin = models.CharField(max_length=50, blank=True)
    mic = models.CharField(max_length=50, blank=True)
    field = models.CharField(max_length=200, help_text="path of the element within the record")
    value = models.TextField(blank=True)
    reason = models.CharField(max_length=200)
    record = models.JSONField(default=dict)

    class Meta:
        ordering = ["file", "position", "field"]
        indexes = [models.Index(fields=["isin"], name="rejected_record_isin_idx")]

    def __str__(self) -> str:
        return f"record {self.position}: {self.field} is {self.value!r}"
