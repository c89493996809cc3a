"""The files, and how far this project has got with each."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.files import File
from django.db import models
from django.utils import timezone

from esma_files import worker
from esma_files.errors import LostFile
from esma_files.names import Kind
from marketdata.common.errors import MarketDataError, RetryableError


class EsmaFileQuerySet(models.QuerySet["EsmaFile"]):
    def in_publication_order(self) -> "EsmaFileQuerySet":
        """Oldest first, the delta of a day before its full files: the order of ESMA's own rules."""
        return self.order_by("sequence", "name", "pk")

    def waiting(self) -> "EsmaFileQuerySet":
        """Stored, and not loaded yet."""
        return self.filter(state=self.model.State.DOWNLOADED).in_publication_order()

    def claim(self, pk: int, *, source: str, target: str) -> "EsmaFile | None":
        """Move one file from `source` to `target`; None where another worker was first."""
        moved = self.filter(pk=pk, state=source).update(
            state=target, state_since=timezone.now(), claimed_by=worker.me(), problem=""
        )
        return self.get(pk=pk) if moved else None

    def release_abandoned(self) -> int:
        """Send back the files whose worker has died; returns how many.

        A worker of this host is looked up; one of another host counts as dead after
        `STUCK_AFTER_SECONDS`.
        """
        stuck_since = timezone.now() - dt.timedelta(seconds=settings.STUCK_AFTER_SECONDS)
        released = 0
        for busy in self.filter(state=self.model.State.LOADING):
            if worker.is_gone(busy.claimed_by) or busy.state_since < stuck_since:
                mine = self.filter(pk=busy.pk, state=busy.state, claimed_by=busy.claimed_by)
                released += mine.update(
                    state=self.model.State.DOWNLOADED, state_since=timezone.now(), claimed_by=""
                )
        return released


def stored_as(file: "EsmaFile", name: str) -> str:
    """Where the zip lies below MEDIA_ROOT. `file.name` has passed FileName.parse."""
    return f"firds/{file.published_on:%Y}/{file.name}"


class EsmaFile(models.Model):
    """One file that ESMA has published, and how far this project has got with it.

    DOWNLOADED -> LOADING -> LOADED; FAILED from LOADING. The same name with other bytes is
    another file: ESMA republishes.
    """

    class State(models.TextChoices):
        DOWNLOADED = "downloaded", "Downloaded"
        LOADING = "loading", "Loading"
        LOADED = "loaded", "Loaded"
        FAILED = "failed", "Failed"

    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=[(kind, str(kind)) for kind in Kind])
    letter = models.CharField(max_length=4, blank=True, help_text="CFI category; empty in deltas")
    published_on = models.DateField()
    part = models.PositiveSmallIntegerField()
    parts = models.PositiveSmallIntegerField()
    sequence = models.BigIntegerField(help_text="place in publication order")
    revision = models.PositiveSmallIntegerField(
        default=0, help_text="counts the times that other bytes came under the same name"
    )
    md5 = models.CharField(max_length=32)
    size = models.BigIntegerField(help_text="bytes of the zip")
    content = models.FileField(upload_to=stored_as, max_length=200)

    state = models.CharField(max_length=20, choices=State, default=State.DOWNLOADED)
    state_since = models.DateTimeField(default=timezone.now)
    claimed_by = models.CharField(max_length=100, blank=True)
    problem = models.TextField(blank=True)

    objects = EsmaFileQuerySet.as_manager()

    class Meta:
        ordering = ["-published_on", "name"]
        verbose_name = "ESMA file"
        constraints = [
            models.UniqueConstraint(fields=["name", "md5"], name="esma_file_once"),
        ]
        indexes = [models.Index(fields=["state", "sequence"], name="esma_file_state_idx")]

    def __str__(self) -> str:
        return self.name

    @property
    def stored_name(self) -> str:
        """The name of the zip in the storage of `content`."""
        return str(self.content.name)

    def open(self) -> File[bytes]:
        """The stored zip. Raises LostFile."""
        try:
            return self.content.storage.open(self.stored_name, "rb")
        except FileNotFoundError as error:
            raise LostFile(self.name, f"{self.stored_name} is not in the storage") from error

    @contextmanager
    def step(self, *, retry_from: State) -> Iterator[None]:
        """Run one step; on an error the file is FAILED, or `retry_from` if it may succeed later."""
        try:
            yield
        except RetryableError as error:
            self.enter(retry_from, problem=str(error))
            raise
        except MarketDataError as error:
            self.enter(self.State.FAILED, problem=str(error))
            raise
        except Exception as error:
            self.enter(self.State.FAILED, problem=f"{type(error).__name__}: {error}")
            raise

    def enter(self, state: State, *, problem: str = "") -> None:
        self.state, self.state_since, self.problem = state, timezone.now(), problem
        self.claimed_by = ""
        self.save(update_fields=["state", "state_since", "problem", "claimed_by"])
