"""Files that the registers publish, and the state of each."""

import datetime as dt
import random
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.files import File
from django.db import OperationalError, models
from django.db.models import Q
from django.utils import timezone

from esma_files import processes
from esma_files.datasets import Dataset
from esma_files.errors import DatabaseRefused, LostFile
from esma_files.kinds import KINDS, FileKind
from esma_files.names import FileName
from esma_files.storage.field import StoredFileField
from marketdata.common.errors import MarketDataError, RetryableError

_LONGEST_RETRY_SECONDS = 6 * 3600


def kind_choices() -> list[tuple[str, str]]:
    """Return the kinds as choices. As a function, so that a new kind needs no migration."""
    return [(code, code) for code in KINDS]


def dataset_choices() -> list[tuple[str, Any]]:
    """Return the datasets as choices. As a function, so that a new dataset needs no migration."""
    return list(Dataset.choices)


class EsmaFileQuerySet(models.QuerySet["EsmaFile"]):
    def in_publication_order(self) -> "EsmaFileQuerySet":
        """Oldest first, the delta of a day before its full files: the order of ESMA's own rules."""
        return self.order_by("sequence", "name", "pk")

    def due(self, state: str) -> "EsmaFileQuerySet":
        """Files in `state` that may be processed now: those put off until later are left out."""
        due = Q(not_before=None) | Q(not_before__lte=timezone.now())
        return self.filter(due, state=state).in_publication_order()

    def waiting(self) -> "EsmaFileQuerySet":
        """Files that are stored, and not loaded yet."""
        return self.due(self.model.State.DOWNLOADED)

    def interrupted(self) -> "EsmaFileQuerySet":
        """Files whose load was interrupted when a part was merged, and that no load is busy with."""
        state = self.model.State
        idle = self.filter(is_partly_merged=True, state__in=[state.DOWNLOADED, state.FAILED])
        return idle.in_publication_order()

    def stored(self) -> "EsmaFileQuerySet":
        """Files whose bytes are in a storage."""
        return self.exclude(content="").exclude(state=self.model.State.DELETED)

    def selected(self) -> "EsmaFileQuerySet":
        """Files that the settings select for download, by dataset, kind, category and age."""
        since = timezone.localdate() - dt.timedelta(days=settings.DOWNLOAD_DAYS)
        files = self.filter(
            dataset__in=settings.REGISTERS,
            kind__in=settings.DOWNLOAD_KINDS,
            published_on__gte=since,
        )
        if settings.DOWNLOAD_CATEGORIES:
            files = files.filter(category__in=["", *settings.DOWNLOAD_CATEGORIES])
        return files

    def ever_loaded(self) -> "EsmaFileQuerySet":
        """Files whose data are in the database, also where retention has taken their bytes away."""
        return self.exclude(loaded_at=None)

    def named(self, name: str, *, dataset: str = "") -> "EsmaFileQuerySet":
        """Files with this name, of one dataset or of every one, the newest revision first."""
        files = self.filter(name=name).order_by("dataset", "-revision")
        return files.filter(dataset=dataset) if dataset else files

    def other_revisions(self, file: "EsmaFile") -> "EsmaFileQuerySet":
        """The other files that were published under the name of a file."""
        return self.filter(dataset=file.dataset, name=file.name).exclude(pk=file.pk)

    def claim(self, pk: int, *, from_state: str, to_state: str) -> "EsmaFile | None":
        """Move one file from a state to another; None where another worker was first."""
        moved = self.filter(pk=pk, state=from_state).update(
            state=to_state,
            state_since=timezone.now(),
            claimed_by=processes.current_process(),
            problem="",
        )
        return self.model.objects.get(pk=pk) if moved else None

    def release_abandoned(self, *, ended: Collection[str] = ()) -> int:
        """Release the files of workers that have ended; return how many.

        Processes of this host are looked up; those of other hosts count as ended if they are in `ended`, or
        after `STUCK_AFTER_SECONDS`. A file during which MAX_ATTEMPTS workers have ended is FAILED.
        """
        stuck_since = timezone.now() - dt.timedelta(seconds=settings.STUCK_AFTER_SECONDS)
        released = 0
        for busy in self.filter(state__in=self.model.BEFORE):
            has_ended = busy.claimed_by in ended or processes.has_ended(busy.claimed_by)
            if has_ended or busy.state_since < stuck_since:
                released += busy.release()
        return released

    def retry(self) -> int:
        """Return failed files to the state before the step that failed; return how many."""
        state, failed = self.model.State, self.filter(state=self.model.State.FAILED)
        fresh = {"state_since": timezone.now(), "problem": "", "attempts": 0, "not_before": None}
        to_fetch = failed.filter(content="").update(state=state.LISTED, **fresh)
        return to_fetch + failed.exclude(content="").update(state=state.DOWNLOADED, **fresh)

    def release_held(self) -> int:
        """Let held files through the load gate: they wait to be loaded; return how many."""
        state = self.model.State
        fresh = {"state_since": timezone.now(), "problem": "", "is_released": True}
        return self.filter(state=state.HELD).update(state=state.DOWNLOADED, **fresh)


def stored_as(file: "EsmaFile", name: str) -> str:
    """Return the name in the storage: container, year, and the file name with a part of its MD5.

    `file.name` has passed FileName.parse. With a part of the MD5 in it, two revisions have two names,
    and storing the same bytes once more is harmless, also after half of them.
    """
    publication = Dataset(file.dataset).publication
    folder = "/".join(filter(None, (publication.container, publication.folder)))
    stem, dot, ending = name.rpartition(".")
    return f"{folder}/{file.published_on:%Y}/{stem}.{file.stored_md5[:8]}{dot}{ending}"


class EsmaFile(models.Model):
    """One file that a register has published, and its state.

    LISTED -> DOWNLOADING -> DOWNLOADED -> LOADING -> LOADED -> ARCHIVED or DELETED; FAILED from a busy
    state; HELD from LOADING by the load gate, until it is released. The same name with other bytes is
    another file: ESMA republishes. A file that was registered from a path begins as DOWNLOADED.
    """

    class State(models.TextChoices):
        LISTED = "listed", "Listed"
        DOWNLOADING = "downloading", "Downloading"
        DOWNLOADED = "downloaded", "Downloaded"
        LOADING = "loading", "Loading"
        HELD = "held", "Held"
        LOADED = "loaded", "Loaded"
        ARCHIVED = "archived", "Archived"
        DELETED = "deleted", "Deleted"
        FAILED = "failed", "Failed"

    # The state that a file returns to from a busy state.
    BEFORE = {State.DOWNLOADING: State.LISTED, State.LOADING: State.DOWNLOADED}

    class Location(models.TextChoices):
        """Aliases of settings.STORAGES."""

        LOCAL = "local", "Local"
        BLOB = "blob", "Blob"

    class Tier(models.TextChoices):
        """Access tiers of Blob Storage; folders have none."""

        HOT = "hot", "Hot"
        COOL = "cool", "Cool"
        ARCHIVE = "archive", "Archive"

    dataset = models.CharField(max_length=20, choices=dataset_choices, default=Dataset.ESMA_FIRDS)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=kind_choices)
    category = models.CharField(
        max_length=1, blank=True, help_text="CFI category of a full file; empty in deltas"
    )
    result_group = models.CharField(
        max_length=12,
        blank=True,
        help_text="group and asset class of transparency results by sub-class, as NYAR_EQD",
    )
    published_on = models.DateField()
    part = models.PositiveSmallIntegerField()
    parts = models.PositiveSmallIntegerField()
    sequence = models.BigIntegerField(help_text="place in publication order")
    revision = models.PositiveSmallIntegerField(
        default=0,
        help_text="number of times that other bytes were published under this name before",
    )
    md5 = models.CharField(
        max_length=32, blank=True, help_text="as published; empty until it is known"
    )
    created_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="when the publisher created it (CreDt); empty until the file has been read",
    )

    url = models.CharField(max_length=500, blank=True, help_text="address in the register")
    register_id = models.CharField(max_length=50, blank=True)
    listed_at = models.DateTimeField(default=timezone.now, help_text="time of its registration")

    content = StoredFileField(upload_to=stored_as, max_length=200, blank=True)
    location = models.CharField(max_length=10, choices=Location, default=Location.LOCAL)
    original = models.CharField(
        max_length=200, blank=True, help_text="name in the storage that the file was moved from"
    )
    tier = models.CharField(max_length=10, choices=Tier, blank=True, help_text="in Blob Storage")
    size = models.BigIntegerField(default=0, help_text="bytes stored")
    stored_md5 = models.CharField(
        max_length=32,
        blank=True,
        help_text="of the stored bytes; differs from `md5` once compressed",
    )
    stored_at = models.DateTimeField(null=True, blank=True)
    kept = models.BooleanField(default=False, help_text="never deleted by the retention policy")
    loaded_at = models.DateTimeField(null=True, blank=True)
    scope_number = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="scope that it was loaded with: 0 is everything; empty: not loaded, or to be reloaded",
    )
    is_excerpt = models.BooleanField(
        default=False,
        help_text="holds only a part of what was published: a full file drops no listing",
    )
    is_partly_merged = models.BooleanField(
        default=False,
        help_text="its load was interrupted when part of it was merged; the next load finishes it",
    )

    is_released = models.BooleanField(
        default=False, help_text="a curator has let it through the load gate"
    )

    state = models.CharField(max_length=20, choices=State, default=State.DOWNLOADED)
    state_since = models.DateTimeField(default=timezone.now)
    claimed_by = models.CharField(max_length=100, blank=True)
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="failed attempts, one after another"
    )
    not_before = models.DateTimeField(null=True, blank=True, help_text="time of the next attempt")
    problem = models.TextField(blank=True)

    objects = EsmaFileQuerySet.as_manager()

    class Meta:
        ordering = ["-published_on", "name"]
        verbose_name = "ESMA file"
        constraints = [
            models.UniqueConstraint(fields=["dataset", "name", "md5"], name="esma_file_once"),
        ]
        indexes = [
            models.Index(fields=["state", "sequence"], name="esma_file_state_idx"),
            models.Index(fields=["name"], name="esma_file_name_idx"),
            models.Index(fields=["-published_on", "name"], name="esma_file_published_idx"),
        ]
        permissions = [
            ("download_esmafile", "Can have files downloaded"),
            ("load_esmafile", "Can have files loaded, or tried again"),
            ("keep_esmafile", "Can exempt files from the retention policy"),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def from_name(cls, name: FileName, *, dataset: str) -> "EsmaFile":
        """Return a new row, not saved, for a file of this name."""
        return cls(
            dataset=dataset,
            name=f"{name.stem}.zip",
            kind=name.kind.code,
            category=name.category,
            result_group=name.result_group,
            published_on=name.published_on,
            part=name.part,
            parts=name.parts,
        )

    @property
    def file_kind(self) -> FileKind:
        """The declaration of its kind."""
        return KINDS[self.kind]

    @property
    def stored_name(self) -> str:
        """The name of the file in the storage of `content`; "" where it is not stored."""
        return str(self.content.name or "")

    @property
    def has_content(self) -> bool:
        return bool(self.stored_name) and self.state != self.State.DELETED

    @property
    def original_location(self) -> Location:
        """The storage that `original` is in: the other one."""
        location = self.Location
        return location.LOCAL if self.location == location.BLOB else location.BLOB

    def set_order(self) -> None:
        """Set the revision and the place in publication order. Call in the transaction that saves the row."""
        same_name = EsmaFile.objects.filter(dataset=self.dataset, name=self.name)
        self.revision = same_name.count()
        self.sequence = FileName.parse(self.name).sequence(self.revision)

    def is_newer_than(self, other: "EsmaFile") -> bool:
        """Return whether this revision of a name replaces another one.

        The one that the publisher created later is newer; at the same time, the one registered later.
        """
        return self._revision_order() > other._revision_order()

    def _revision_order(self) -> tuple[bool, float, int]:
        created = self.created_at.timestamp() if self.created_at else 0.0
        return self.created_at is not None, created, self.revision

    def open(self) -> File[bytes]:
        """Open the stored file. Raises LostFile, and temporary errors of the storage."""
        try:
            return self.content.storage.open(self.stored_name, "rb")
        except FileNotFoundError as error:
            raise LostFile(self.name, f"{self.stored_name} is not in the storage") from error

    @contextmanager
    def step(self, *, retry_from: State) -> Iterator[None]:
        """Run one step; on an error the file is FAILED, or `retry_from` where a later try may succeed."""
        try:
            yield
        except RetryableError as error:
            self.put_off(retry_from, problem=str(error), wait=error.wait_seconds)
            raise
        except OperationalError as error:
            refused = DatabaseRefused(f"{self.name}: {error}")
            self.put_off(retry_from, problem=str(refused))
            raise refused from error
        except MarketDataError as error:
            self.enter(self.State.FAILED, problem=str(error))
            raise
        except Exception as error:
            self.enter(self.State.FAILED, problem=f"{type(error).__name__}: {error}")
            raise

    def enter(self, state: State, *, problem: str = "") -> None:
        """End a step in `state`."""
        self.state, self.state_since, self.problem = state, timezone.now(), problem
        self.claimed_by, self.attempts, self.not_before = "", 0, None
        # Only these columns: the file may have been marked as kept meanwhile.
        changed = ("state", "state_since", "problem", "claimed_by", "attempts", "not_before")
        self.save(
            update_fields=[
                *changed,
                "loaded_at",
                "scope_number",
                "is_partly_merged",
                "created_at",
            ]
        )

    def put_off(self, state: State, *, problem: str, wait: int | None = None) -> None:
        """Return to `state`, to be tried again after `wait` seconds.

        Without `wait` the pause doubles with each attempt, and the file is FAILED after MAX_ATTEMPTS.
        """
        attempts = self.attempts + (wait is None)
        if attempts >= settings.MAX_ATTEMPTS:
            self.enter(self.State.FAILED, problem=f"{problem} (given up after {attempts} attempts)")
            return
        self.enter(state, problem=problem)
        if wait is None:
            wait = min(settings.RETRY_SECONDS * 2 ** (attempts - 1), _LONGEST_RETRY_SECONDS)
        self.attempts = attempts
        self.not_before = self.state_since + dt.timedelta(seconds=wait * random.uniform(1, 1.2))  # noqa: S311
        self.save(update_fields=["attempts", "not_before"])

    @property
    def is_busy(self) -> bool:
        """True while a process works on the file: one of this host that has ended does not."""
        return self.state in self.BEFORE and not processes.has_ended(self.claimed_by)

    def release(self) -> int:
        """Take the file from a worker that has ended; return 1, or 0 where somebody else was first."""
        attempts = self.attempts + 1
        is_failed = attempts >= settings.MAX_ATTEMPTS
        unchanged = EsmaFile.objects.filter(
            pk=self.pk, state=self.state, claimed_by=self.claimed_by
        )
        return unchanged.update(
            state=self.State.FAILED if is_failed else self.BEFORE[self.State(self.state)],
            state_since=timezone.now(),
            claimed_by="",
            attempts=attempts,
            problem=f"{attempts} workers have ended while processing it" if is_failed else "",
        )
