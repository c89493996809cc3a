"""The state of the database that a table of the lake was written from, and what has changed since."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from django.db import models

from instruments.models import (
    ChangeSet,
    Correction,
    DataVersion,
    Listing,
    ListingVersion,
    WithdrawnListing,
)
from lake.reading import Reader, read
from lake.tables import Bounds

# With more records changed, the whole table is read again.
_MOST = 1_000_000
_NUMBER = pa.schema([("number", pa.int64())])
_ISIN = pa.schema([("isin", pa.string())])
_SUBJECT = pa.schema([("subject", pa.string()), ("version", pa.string())])
_SUBJECTS = 1_000


@dataclasses.dataclass(frozen=True)
class State:
    """A state of the database. It is written with each commit of a table.

    `data_version` is the number of the last change set: no two states of the listings and their versions have
    the same. `database` tells this database from all others, and from itself before listings were deleted.
    `last_version` is the newest key of the versions, which have no change set of their own. `subjects` is the
    version of each subject (`instruments.data_versions`), as JSON.
    """

    data_version: int
    database: str
    last_version: int
    subjects: str = "{}"

    def get_version(self, subject: str) -> str | None:
        """Return the version of the data of a subject; None before its first load."""
        version: str | None = json.loads(self.subjects).get(subject)
        return version

    def to_metadata(self) -> dict[str, Any]:
        return {
            "dataVersion": self.data_version,
            "database": self.database,
            "lastVersion": self.last_version,
            "subjects": self.subjects,
        }

    @classmethod
    def from_metadata(cls, commit: dict[str, Any]) -> "State":
        return cls(
            int(commit["dataVersion"]),
            str(commit["database"]),
            int(commit["lastVersion"]),
            str(commit.get("subjects", "{}")),
        )


def read_state(reader: Reader) -> State:
    """Return the state that a reader sees."""
    made_at = ChangeSet.objects.filter(number=ChangeSet.FIRST).order_by().values_list("made_at")
    schema = pa.schema([("made_at", pa.timestamp("us", "UTC"))])
    created = read(reader, made_at[:1], schema, 1).column(0).to_pylist()
    versions = DataVersion.objects.order_by("pk").values_list("subject", "version")
    subjects = read(reader, versions, _SUBJECT, _SUBJECTS)
    return State(
        data_version=_read_last(reader, ChangeSet),
        database=f"{int(created[0].timestamp() * 1_000_000):x}" if created else "0",
        last_version=_read_last(reader, ListingVersion),
        subjects=json.dumps(dict(zip(*subjects.to_pydict().values(), strict=True))),
    )


def _read_last(reader: Reader, model: type[models.Model]) -> int:
    keys = model._base_manager.order_by("-pk").values_list("pk")[:1]
    answer: list[int] = read(reader, keys, _NUMBER, 1).column(0).to_pylist()
    return answer[0] if answer else 0


class ChangedIsins:
    """The ISINs whose listings have been written since a state; several tables ask for the same."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[State, list[str] | None] = {}

    def since(self, state: State) -> list[str] | None:
        """Return the ISINs, sorted; None if they are too many.

        A listing has the number of its change, also one that was withdrawn. A late record goes into the
        versions without one, so new keys there tell of it. A correction changes the row of the instrument
        alone, so the ISINs of all corrections count as changed.
        """
        if state not in self._known:
            self._known[state] = self._read(state)
        return self._known[state]

    def _read(self, state: State) -> list[str] | None:
        changed: set[str] = set()
        queries = (
            Listing.objects.filter(change__gt=state.data_version),
            WithdrawnListing.objects.filter(change__gt=state.data_version),
            ListingVersion.objects.filter(pk__gt=state.last_version),
            Correction.objects.all(),
        )
        for query in queries:
            # Not DISTINCT, for which databases would rather read a whole index by ISIN.
            isins = query.order_by().values_list("isin")[: _MOST + 1]
            rows = read(self._reader, isins, _ISIN, _MOST + 1).column(0)
            if len(rows) > _MOST:
                return None
            changed.update(rows.unique().to_pylist())
        return sorted(changed)


def get_slices(starts: Iterable[str]) -> list[Bounds]:
    """Return the slices that begin at these keys, each up to the next one; the first at the beginning."""
    begins = ["", *sorted({*starts} - {""})]
    return list(zip(begins, [*begins[1:], None], strict=True))
