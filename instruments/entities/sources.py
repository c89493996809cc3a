"""The sources of records of legal entities: GLEIF's files, and the answers of its API."""

import dataclasses
import datetime as dt
from typing import Any, Self

from django.db import models

from esma_files.models import EsmaFile

_ANSWER = "{:%Y%m%d-%H%M}-gleif-api"
_STAMP, _STAMP_LENGTH = "%Y%m%d", len("YYYYMMDD")


@dataclasses.dataclass(frozen=True)
class Origin:
    """A file or an answer of the API that staged records come from; `file_id` is None for an answer.

    The names of both begin with the day and time of the golden copy, so they have one order. `is_whole` if
    what it lacks is not published any more.
    """

    name: str
    dataset: str
    file_id: int | None = None
    is_whole: bool = False

    @classmethod
    def of_file(cls, file: EsmaFile) -> Self:
        is_whole = file.file_kind.is_full and not file.is_excerpt
        return cls(file.name, file.dataset, file.pk, is_whole)

    @classmethod
    def of_answer(cls, published_at: dt.datetime, dataset: str) -> Self:
        """The answer that the API gives from the golden copy published at a time."""
        return cls(_ANSWER.format(published_at.astimezone(dt.UTC)), dataset)

    @property
    def values(self) -> str:
        """The SQL of the values of `source_file_id` and `source_answer`."""
        if self.file_id is not None:
            return f"{self.file_id}, ''"
        return f"NULL, '{self.name}'"


def source_name(row: str, file: str) -> str:
    """Return the SQL of the name of a row's source; `file` is its file in a LEFT JOIN."""
    return f"COALESCE({file}.name, {row}.source_answer)"


class Sourced(models.Model):
    """A record of GLEIF, and where it was read: a file, or an answer of the API."""

    source_file = models.ForeignKey(
        EsmaFile,
        on_delete=models.PROTECT,
        related_name="+",
        db_constraint=False,
        db_index=False,
        null=True,
        help_text="empty: the record is from an answer of GLEIF's API",
    )
    source_answer = models.CharField(
        max_length=40,
        blank=True,
        default="",
        help_text="the golden copy that GLEIF's API answered from, as 20250515-0000-gleif-api",
    )
    source_position = models.PositiveIntegerField(
        help_text="1 is the first record of the file, or of the answer"
    )
    fingerprint = models.BigIntegerField()

    class Meta:
        abstract = True

    @property
    def source_name(self) -> str:
        """The name of the file, or of the golden copy that the API answered from."""
        return self.source_file.name if self.source_file else self.source_answer

    @property
    def published_on(self) -> dt.date:
        """The day of publication of the file, or of the golden copy that the API answered from."""
        if self.source_file:
            return self.source_file.published_on
        stamp = self.source_answer[:_STAMP_LENGTH]
        return dt.datetime.strptime(stamp, _STAMP).replace(tzinfo=dt.UTC).date()


def describe_source(row: Any) -> dict[str, Any]:
    """Return the columns that tell where a record was read, for the API."""
    return {"source_file": row.source_name, "source_position": row.source_position}
