"""Rows of curation that no load knows: problems, imports of tables, watch lists, notes and tags."""

import datetime as dt
from collections import Counter
from typing import Any, cast

from django.db import models
from django.utils import timezone

from curation import problem_kinds
from instruments.models import Register
from marketdata.web.pages import KeyedQuerySet


class Problem(models.Model):
    """A problem of published data, found by night or when a correction was decided about.

    A narrow copy of what is wrong, so that lists never read the large tables. `isin` is empty for a problem
    of a venue; `mic` is empty for one of all listings in the register.
    """

    kind = models.CharField(max_length=24, choices=problem_kinds.CHOICES)
    isin = models.CharField("ISIN", max_length=12, blank=True)
    register = models.CharField(max_length=5, choices=Register, blank=True)
    mic = models.CharField("MIC", max_length=4, blank=True)
    category = models.CharField(max_length=1, blank=True, help_text="CFI category")
    published = models.CharField(max_length=350, blank=True, help_text="published value")
    suggested = models.CharField(
        max_length=350, blank=True, help_text="value that another source has; empty if none"
    )
    detail = models.CharField(max_length=500, help_text="what is wrong, in a sentence")
    found_on = models.DateField(help_text="first day on which it was found")

    objects = KeyedQuerySet.as_manager()
    list_column = "isin"

    class Meta:
        ordering = ["kind", "isin", "pk"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["kind", "isin", "register", "mic"], name="problem_once")
        ]
        indexes = [
            models.Index(fields=["isin"], name="problem_isin_idx"),
            models.Index(fields=["kind", "isin", "id"], name="problem_list_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.isin or self.mic}: {self.get_kind_display()}"

    @property
    def key(self) -> tuple[str, str, str]:
        """Its key among those of its kind."""
        return self.isin, self.register, self.mic

    @property
    def values(self) -> tuple[str, ...]:
        """The values that can change while it remains the same problem."""
        return self.category, self.published, self.suggested, self.detail

    @property
    def about(self) -> problem_kinds.ProblemKind:
        return problem_kinds.KINDS[self.kind]

    @property
    def days(self) -> int:
        """Days since it was found first."""
        return (dt.datetime.now(dt.UTC).date() - self.found_on).days


class ProblemCount(models.Model):
    """The number of problems of a kind, and when it was looked for them."""

    kind = models.CharField(max_length=24, choices=problem_kinds.CHOICES, primary_key=True)
    problems = models.PositiveIntegerField(help_text="problems that are kept")
    has_more = models.BooleanField(help_text="there are more than are kept")
    skipped = models.CharField(
        max_length=200, blank=True, help_text="the reason for which it was not looked for them"
    )
    counted_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.problems:,}"


class _OfKind(models.Manager[Problem]):
    """The problems of one kind, for its proxy."""

    def get_queryset(self) -> Any:
        kind = getattr(self.model, "KIND", "")
        return KeyedQuerySet(self.model, using=self._db).filter(kind=kind)


def _make_proxy(kind: problem_kinds.ProblemKind) -> type[Problem]:
    """Return the proxy model of a kind, which is a list of its own in the admin."""
    meta = type(
        "Meta",
        (),
        {
            "proxy": True,
            "default_permissions": (),
            "verbose_name": f"problem: {kind.title}",
            "verbose_name_plural": f"problems: {kind.title}",
        },
    )
    name = "".join(word.capitalize() for word in kind.code.split("_")) + "Problem"
    members = {"__module__": __name__, "Meta": meta, "KIND": kind.code, "objects": _OfKind()}
    return cast(type[Problem], type(name, (Problem,), members))


PROXIES: dict[str, type[Problem]] = {
    code: _make_proxy(kind) for code, kind in problem_kinds.KINDS.items()
}


class ImportBatch(models.Model):
    """A file whose import was tried, with the fate of each row; and committed, if `committed_at` is set."""

    KINDS = [
        ("corrections", "Corrections"),
        ("venues", "Venues"),
        ("scope", "Scope"),
        ("lists", "Watch lists"),
    ]
    KEPT_OF_USER = 100  # each has up to 1.5 MB

    kind = models.CharField(max_length=20, choices=KINDS)
    file_name = models.CharField(max_length=200)
    rows = models.JSONField(help_text="the rows of the file as texts by column")
    report = models.JSONField(default=list, help_text="the fate of each row, in the same order")
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)
    committed_by = models.CharField(max_length=150, blank=True)
    committed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "import batches"
        default_permissions = ("view",)
        permissions = [("import_venue", "Can import additions to the list of venues")]
        indexes = [models.Index(fields=["created_by"], name="import_created_by_idx")]

    def __str__(self) -> str:
        return f"{self.pk} {self.file_name}"

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows by outcome."""
        return dict(Counter(row["outcome"] for row in self.report))


class WatchList(models.Model):
    """A user's list of ISINs, or a saved filter of instruments, and what the user has seen of it.

    `seen` and `mailed` are places in the order of changes, "change set.key of the listing": the listings
    after them are the changes.
    """

    MAX_ISINS = 1_000

    owner = models.CharField(max_length=150)
    name = models.CharField(max_length=100)
    isins = models.JSONField("ISINs", default=list, blank=True, help_text="empty for a filter")
    filter = models.CharField(
        max_length=500, blank=True, help_text="query string of the list of instruments"
    )
    by_mail = models.BooleanField(default=False, help_text="its changes are mailed by night")
    seen = models.CharField(max_length=40, default="0.0")
    seen_at = models.DateTimeField(default=timezone.now)
    mailed = models.CharField(max_length=40, default="0.0")

    class Meta:
        ordering = ["name", "pk"]
        default_permissions = ()
        permissions = [("keep_watchlist", "Can keep watch lists")]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="watch_list_name_once")
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.name}"


class Subject(models.TextChoices):
    """The things that notes and tags are about."""

    INSTRUMENT = "instrument", "Instrument"
    VENUE = "venue", "Venue"
    ENTITY = "entity", "Legal entity"


class Note(models.Model):
    """A note about an instrument, a venue or a legal entity. It is not edited; a new one is added."""

    subject = models.CharField(max_length=10, choices=Subject)
    code = models.CharField(max_length=20, help_text="ISIN, MIC or LEI")
    text = models.TextField(max_length=2_000)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]
        default_permissions = ("view", "add", "delete")
        indexes = [models.Index(fields=["code", "subject"], name="note_code_idx")]

    def __str__(self) -> str:
        return f"{self.pk} {self.code}"


class Tag(models.Model):
    """A tag of an instrument, a venue or a legal entity. The permissions are those of notes."""

    subject = models.CharField(max_length=10, choices=Subject)
    code = models.CharField(max_length=20, help_text="ISIN, MIC or LEI")
    name = models.CharField(max_length=40, help_text="lower-case letters, digits and hyphens")
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "code"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["code", "name"], name="tag_once")]
        indexes = [models.Index(fields=["name", "code"], name="tag_name_idx")]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"
