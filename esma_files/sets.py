"""Sets of files: the parts of one publication."""

import dataclasses
import datetime as dt
from collections.abc import Iterable

from esma_files.kinds import KINDS
from esma_files.models import EsmaFile


@dataclasses.dataclass(frozen=True)
class SetKey:
    """The key that the parts of a set share. A day published in 3 parts and again in 5 is two sets."""

    dataset: str
    kind: str
    category: str
    result_group: str
    day: dt.date
    parts: int

    @classmethod
    def of(cls, file: EsmaFile) -> "SetKey":
        return cls(
            dataset=file.dataset,
            kind=file.kind,
            category=file.category,
            result_group=file.result_group,
            day=file.published_on,
            parts=file.parts,
        )

    def __str__(self) -> str:
        return f"{self.label} of {self.day} ({self.dataset})"

    @property
    def label(self) -> str:
        """Kind and category or group of results, as `FULINS E`."""
        return " ".join(filter(None, (self.kind, self.category, self.result_group)))

    @property
    def series(self) -> tuple[str, str, str, str]:
        """Return the key of a series of publications: dataset, kind, category and group of results."""
        return self.dataset, self.kind, self.category, self.result_group

    @property
    def is_full(self) -> bool:
        return KINDS[self.kind].is_full


@dataclasses.dataclass
class FileSet:
    """The rows of a set: all revisions of its parts."""

    key: SetKey
    files: list[EsmaFile]

    @property
    def missing_parts(self) -> list[int]:
        """The numbers of the parts that have no row."""
        known = {file.part for file in self.files}
        return [part for part in range(1, self.key.parts + 1) if part not in known]

    @property
    def is_completely_stored(self) -> bool:
        """Return True if the bytes of every part are stored."""
        stored = {file.part for file in self.files if file.has_content}
        return len(stored) == self.key.parts


def group(files: Iterable[EsmaFile]) -> list[FileSet]:
    """Group files into their sets, oldest first."""
    sets: dict[SetKey, FileSet] = {}
    for file in files:
        key = SetKey.of(file)
        sets.setdefault(key, FileSet(key, [])).files.append(file)
    return sorted(sets.values(), key=lambda file_set: (file_set.key.day, *file_set.key.series))
