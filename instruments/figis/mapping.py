"""OpenFIGI's mapping API (v3): jobs for ISINs in batches, and the meaning of each answer.

A request has up to 10 jobs without a key and 100 with one, and its answer is a list with one entry for each
job: `data` with FIGIs, `warning` "No identifier found.", or `error`. Only that warning means that there is no
FIGI, and only the error "Invalid idValue format." is final; all else is to be tried again.
"""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from instruments.figis.models import FIGI_PATTERN
from marketdata.services.client import JsonClient, Service, Wait
from marketdata.services.errors import RequestTooLarge, UnreadableAnswer

PATH = "/v3/mapping"
_NO_MATCH = "No identifier found."
_INVALID = "Invalid idValue format."
_JOBS, _JOBS_WITH_KEY = 10, 100
# Requests and seconds of a window.
_LIMIT, _LIMIT_WITH_KEY = (25, 60), (25, 6)
# Fields of `Figi` with OpenFIGI's names, and the greatest lengths.
_FIELDS = {
    "figi": ("figi", 12),
    "composite_figi": ("compositeFIGI", 12),
    "share_class_figi": ("shareClassFIGI", 12),
    "ticker": ("ticker", 100),
    "exchange_code": ("exchCode", 20),
    "security_type": ("securityType", 100),
    "security_type_2": ("securityType2", 100),
    "market_sector": ("marketSector", 20),
    "name": ("name", 350),
    "description": ("securityDescription", 350),
}


@dataclasses.dataclass(frozen=True)
class Job:
    """A question for the FIGIs of an ISIN, on one venue or on any."""

    isin: str
    mic: str = ""

    def as_json(self) -> dict[str, str]:
        venue = {"micCode": self.mic} if self.mic else {}
        return {"idType": "ID_ISIN", "idValue": self.isin, **venue}


@dataclasses.dataclass(frozen=True)
class Matched:
    """The FIGIs of an ISIN, as values of the fields of `Figi`."""

    rows: list[dict[str, str]]


@dataclasses.dataclass(frozen=True)
class NoMatch:
    """OpenFIGI has no FIGI for the ISIN."""


@dataclasses.dataclass(frozen=True)
class Invalid:
    """OpenFIGI does not accept the ISIN, whenever it is asked."""

    problem: str


@dataclasses.dataclass(frozen=True)
class Failed:
    """An answer that is not documented; the job is to be tried again."""

    problem: str


Outcome = Matched | NoMatch | Invalid | Failed


class Mapping:
    """A session with OpenFIGI, for one thread."""

    def __init__(self, *, wait: Wait = time.sleep) -> None:
        self._client = JsonClient(_service(), wait=wait)
        self.batch_size = _JOBS_WITH_KEY if settings.OPENFIGI_API_KEY else _JOBS

    def __enter__(self) -> "Mapping":
        self._client.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._client.__exit__(*error)

    def ask(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Return the outcome of each job, in their order. Raises the errors of JsonClient.post.

        Batches are halved, from then on, when OpenFIGI answers that one is too large.
        """
        outcomes: list[Outcome] = []
        while len(outcomes) < len(jobs):
            batch = jobs[len(outcomes) : len(outcomes) + self.batch_size]
            try:
                answer = self._client.post(PATH, [job.as_json() for job in batch])
            except RequestTooLarge:
                if len(batch) == 1:
                    raise
                self.batch_size = len(batch) // 2
                continue
            if not isinstance(answer, list) or len(answer) != len(batch):
                number = len(answer) if isinstance(answer, list) else "no list of"
                raise UnreadableAnswer(f"{PATH}: {number} results for {len(batch)} jobs")
            outcomes += map(read_outcome, answer)
        return outcomes


def _service() -> Service:
    key = settings.OPENFIGI_API_KEY
    requests, seconds = _LIMIT_WITH_KEY if key else _LIMIT
    name = "openfigi with key" if key else "openfigi"
    headers = {"X-OPENFIGI-APIKEY": str(key)} if key else {}
    return Service(name, settings.OPENFIGI_URL, requests, seconds, headers)


def read_outcome(entry: Any) -> Outcome:
    """Return the meaning of one entry of an answer."""
    if not isinstance(entry, dict):
        return Failed("the result is no object")
    if entry.get("warning") == _NO_MATCH:
        return NoMatch()
    if entry.get("error") == _INVALID:
        return Invalid(_INVALID)
    try:
        return Matched(_read_rows(entry))
    except ValueError as error:
        return Failed(str(error)[:200])


def _read_rows(entry: dict[str, Any]) -> list[dict[str, str]]:
    """Return the FIGIs of an entry. Raises ValueError for anything else."""
    for name in ("error", "warning"):
        if name in entry:
            raise ValueError(f"{name}: {entry[name]}")
    rows = entry.get("data")
    if not isinstance(rows, list) or not rows:
        raise ValueError("the result has neither data, error nor warning")
    return [_read_row(row) for row in rows]


def _read_row(row: Any) -> dict[str, str]:
    """Return the fields of one FIGI. Raises ValueError with the field that is not valid."""
    if not isinstance(row, dict):
        raise ValueError(f"a row is {row!r} and no object")
    values: dict[str, str] = {}
    for field, (name, length) in _FIELDS.items():
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{name} is {value!r} and no text")
        values[field] = value or ""
        if len(values[field]) > length:
            raise ValueError(f"{name} has {len(values[field])} characters, more than {length}")
    for field in ("figi", "composite_figi", "share_class_figi"):
        if (values[field] or field == "figi") and not FIGI_PATTERN.fullmatch(values[field]):
            raise ValueError(f"{_FIELDS[field][0]} is {values[field]!r}, which is no FIGI")
    return values
