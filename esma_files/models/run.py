"""What has been asked for, how far it is, what it did, and what it could not take."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from esma_files import worker
from esma_files.models.file import EsmaFile


class RunQuerySet(models.QuerySet["Run"]):
    def of(self, kind: str) -> "RunQuerySet":
        return self.filter(kind=kind)

    def open(self) -> "RunQuerySet":
        """Waiting for a worker, or at work."""
        return self.filter(state__in=[self.model.State.QUEUED, self.model.State.RUNNING])

    def files(self) -> "models.QuerySet[Run, int]":
        """The keys of their files."""
        return self.exclude(file=None).values_list("file", flat=True)

    def claim(self, pk: int) -> "Run | None":
        """Begin a run that waits; None where another worker was first, or it is over."""
        begun = self.filter(pk=pk, state=self.model.State.QUEUED).update(
            state=self.model.State.RUNNING, started_at=timezone.now(), claimed_by=worker.me()
        )
        return self.get(pk=pk) if begun else None

    def close_abandoned(self) -> int:
        """Mark the runs whose worker has died, as EsmaFileQuerySet.release_abandoned; how many."""
        stuck_since = timezone.now() - dt.timedelta(seconds=settings.STUCK_AFTER_SECONDS)
        gone = [
            run.pk
            for run in self.filter(state=self.model.State.RUNNING)
            if worker.is_gone(run.claimed_by) or (run.started_at or run.asked_at) < stuck_since
        ]
        return self.filter(pk__in=gone, state=self.model.State.RUNNING).update(
            state=self.model.State.ABANDONED, ended_at=timezone.now()
        )


class Run(models.Model):
    """One thing that was asked for, by a person, a command or the schedule; usually of one file.

    Of a load that is done, `read` is `new + changed + ended + late + unchanged + rejected + outside` records;
    of another these say what it did before it ended. Of a sync it is entries of the register, and
    `new` files listed; of a clean-up files, and `ended` those deleted.
    """

    class Kind(models.TextChoices):
        SYNC = "sync", "Sync"
        DOWNLOAD = "download", "Download"
        LOAD = "load", "Load"
        KEEP = "keep", "Keep"
        DELETE = "delete", "Delete"
        CLEAN = "clean", "Clean up"

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
    asked_by = models.CharField(max_length=150, blank=True, help_text="empty: the schedule")
    asked_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="when last given to the queue")

    state = models.CharField(max_length=20, choices=State, default=State.RUNNING)
    claimed_by = models.CharField(max_length=100, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    seconds = models.FloatField(default=0, help_text="of work")
    share = models.FloatField(default=0, help_text="how much is done, from 0 to 1")
    done = models.BigIntegerField(default=0, help_text="how much is done, in `unit`")
    unit = models.CharField(max_length=20, blank=True)

    read = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(default=0, help_text="not known before")
    changed = models.PositiveIntegerField(default=0, help_text="that now read otherwise")
    ended = models.PositiveIntegerField(default=0, help_text="terminated, cancelled or deleted")
    dropped = models.PositiveIntegerField(
        default=0, help_text="no longer in the full set that this file completes"
    )
    late = models.PositiveIntegerField(default=0, help_text="filed below a newer version")
    unchanged = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    outside = models.PositiveIntegerField(default=0, help_text="records that are out of scope")
    unmapped = models.JSONField(
        default=dict, blank=True, help_text="elements that no field is there for, with their count"
    )
    report = models.JSONField(default=list, blank=True, help_text="what else there is to say")
    problem = models.TextField(blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at", "-pk"]
        indexes = [
            models.Index(fields=["state", "kind"], name="run_state_idx"),
            models.Index(fields=["-asked_at", "-id"], name="run_asked_idx"),
        ]

    def __str__(self) -> str:
        what = self.file.name if self.file else self.get_kind_display()
        return f"{what}, {self.asked_at:%Y-%m-%d %H:%M}"

    @classmethod
    def begin(cls, kind: str, **fields: Any) -> "Run":
        """A run of this process, at work from now on."""
        return cls.objects.create(
            kind=kind, started_at=timezone.now(), claimed_by=worker.me(), **fields
        )

    def note(self, *, share: float, done: int, unit: str) -> None:
        """How far it is; only what changes then is written."""
        self.share, self.done, self.unit = share, done, unit
        self.save(update_fields=["share", "done", "unit"])

    def end(self, *, state: State = State.DONE, problem: str = "") -> None:
        """Close the run. `seconds` is the time since its start, unless it has been measured."""
        self.state, self.problem, self.ended_at = state, problem, timezone.now()
        if state == self.State.DONE:
            self.share = 1
        if not self.seconds and self.started_at:
            self.seconds = (self.ended_at - self.started_at).total_seconds()
        self.save()


class RejectedRecord(models.Model):
    """One field of one record that cannot be what it says; the record is not in the tables.

    `record` holds the record as published, element path to text, so that nothing is lost.
    """

    file = models.ForeignKey(EsmaFile, on_delete=models.CASCADE, related_name="rejected_records")
    position = models.PositiveIntegerField(help_text="1 is the first record of the file")
    isin = models.CharField(max_length=50, blank=True)
    mic = models.CharField(max_length=50, blank=True)
    field = models.CharField(max_length=200, help_text="path of the element in the record")
    value = models.TextField(blank=True)
    reason = models.CharField(max_length=200)
    record = models.JSONField(default=dict)

    class Meta:
        ordering = ["file", "position", "field"]

    def __str__(self) -> str:
        return f"record {self.position}: {self.field} is {self.value!r}"
