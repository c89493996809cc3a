"""The versions of the data, by subject: what answers that are kept for later depend on.

Each transaction that changes the data of a subject gives it a new version, which no other state ever had.
A database that is restored therefore has the versions of its content.
"""

import datetime as dt
import enum
import secrets
from collections.abc import Collection, Mapping

from django.db import DEFAULT_DB_ALIAS, models
from django.utils import timezone

from marketdata.common.unchanged import remember


class DataSubject(enum.StrEnum):
    """A part of the data that is loaded by itself."""

    LISTINGS = "listings"  # instruments, listings and their versions
    VENUES = "venues"
    ENTITIES = "entities"
    FIGIS = "figis"
    RESULTS = "results"  # transparency and volume cap


class DataVersionQuerySet(models.QuerySet["DataVersion"]):
    def renew(self, subject: DataSubject) -> None:
        """Give a subject a new version; call this in the transaction that changes its data."""
        values = {"version": secrets.token_hex(8), "changed_at": timezone.now()}
        if not self.filter(pk=subject.value).update(**values):
            self.create(subject=subject.value, **values)


class DataVersion(models.Model):
    """The version of the data of one subject."""

    subject = models.CharField(max_length=20, primary_key=True)
    version = models.CharField(max_length=16, help_text="random, and never used again")
    changed_at = models.DateTimeField()

    objects = DataVersionQuerySet.as_manager()

    class Meta:
        ordering = ["subject"]

    def __str__(self) -> str:
        return f"{self.subject} {self.version}"


def read(
    subjects: Collection[DataSubject], *, database: str = DEFAULT_DB_ALIAS
) -> tuple[str, dt.datetime | None]:
    """Return the version of some subjects together, and the time of their last change.

    On SQLite no query is needed as long as nothing in the database has changed.
    """
    if database != DEFAULT_DB_ALIAS:
        return _combine(_read_all(database), subjects)
    return remember(
        ("data version", *subjects),
        lambda: _combine(remember("data versions", lambda: _read_all(database)), subjects),
    )


def _combine(
    rows: Mapping[str, DataVersion], subjects: Collection[DataSubject]
) -> tuple[str, dt.datetime | None]:
    chosen = [rows[subject.value] for subject in sorted(subjects) if subject.value in rows]
    version = ".".join(f"{row.subject}-{row.version}" for row in chosen)
    return version, max((row.changed_at for row in chosen), default=None)


def _read_all(database: str) -> dict[str, DataVersion]:
    return {row.subject: row for row in DataVersion.objects.using(database)}
