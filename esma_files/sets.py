"""Files that belong together: the parts of one publication."""

import dataclasses
import datetime as dt
from collections.abc import Iterable

from esma_files.models import EsmaFile
from esma_files.names import Kind


@dataclasses.dataclass(frozen=True)
class SetKey:
    """What the parts of a set have in common; two layouts of a day (of 3, of 5) are two sets."""

    dataset: str
    kind: str
    category: str
    day: dt.date
    parts: int

    @classmethod
    def of(cls, file: EsmaFile) -> "SetKey":
        return cls(file.dataset, file.kind, file.category, file.published_on, file.parts)

    def __str__(self) -> str:
        category = f" {self.category}" if self.category else ""
        return f"{self.kind}{category} of {self.day} ({self.dataset})"

    @property
    def is_delta(self) -> bool:
        return Kind(self.kind).is_delta


@dataclasses.dataclass
class FileSet:
    """The rows of a set: all revisions of its parts."""

    key: SetKey
    files: list[EsmaFile]

    @property
    def missing(self) -> list[int]:
        """The parts that no row is there for."""
        here = {file.part for file in self.files}
        return [part for part in range(1, self.key.parts + 1) if part not in here]

    @property
    def is_stored_whole(self) -> bool:
        """Whether the bytes of every part are here."""
        here = {file.part for file in self.files if file.has_content}
        return len(here) == self.key.parts


def group(files: Iterable[EsmaFile]) -> list[FileSet]:
    """By set, oldest first."""
    sets: dict[SetKey, FileSet] = {}
    for file in files:
        key = SetKey.of(file)
        sets.setdefault(key, FileSet(key, [])).files.append(file)
    return sorted(
        sets.values(), key=lambda s: (s.key.day, s.key.dataset, s.key.kind, s.key.category)
    )
