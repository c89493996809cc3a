"""Sending the requests about LEIs that are due to GLEIF's API, and merging the answers.

An answer is staged as a file is, and merged by the same statements. Records are asked for 200 at a time; the
relationships and exceptions of each LEI follow one by one, as its record names them.
"""

import dataclasses
import datetime as dt
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from esma_files.datasets import Dataset
from esma_files.models import EsmaFile
from instruments.entities import api_records, load_entities, load_level_2
from instruments.entities.gleif_api import PAGE_SIZE, Answer, GleifApi, select_links
from instruments.entities.layouts import LEI2, REPEX, RR
from instruments.entities.search import is_lei
from instruments.entities.sources import Origin
from instruments.lei import is_valid
from instruments.listings import search
from instruments.models import DataSubject, DataVersion, EntityRequest, Instrument, LegalEntity
from instruments.staging.attach import attached
from instruments.staging.layout import Layout
from instruments.staging.staging import stage_batches
from marketdata.common.batches import in_batches
from marketdata.services.client import Wait

State, Subject = EntityRequest.State, EntityRequest.Subject
_IS_MISSING = f"""
    code <> '' AND NOT EXISTS (SELECT 1 FROM {LegalEntity._meta.db_table} e WHERE e.lei = code)
    AND NOT EXISTS (
        SELECT 1 FROM {EntityRequest._meta.db_table} r WHERE r.lei = code AND r.subject = '{Subject.RECORD}'
    )
"""
_LAYOUTS: dict[str, tuple[Dataset, Layout]] = {
    "LEI2": (Dataset.GLEIF_LEI2, LEI2),
    "RR": (Dataset.GLEIF_RR, RR),
    "REPEX": (Dataset.GLEIF_REPEX, REPEX),
}
_A_DAY = dt.timedelta(days=1)


@dataclasses.dataclass
class SyncCounts:
    """LEIs that were asked for, by outcome, and rows of the tables."""

    asked: int = 0
    known: int = 0
    unknown: int = 0
    failed: int = 0
    groups: int = 0  # LEIs whose relationships were read
    new: int = 0
    changed: int = 0
    ended: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)


# Called after each answer.
Progress = Callable[[SyncCounts], None]


def has_golden_copy() -> bool:
    """Return whether a whole golden copy of level 1 is loaded, which has every LEI."""
    loaded = EsmaFile.objects.filter(dataset=Dataset.GLEIF_LEI2, kind="LEI2", is_excerpt=False)
    return loaded.exclude(loaded_at=None).exists()


def add_missing(limit: int) -> int:
    """Add requests for up to `limit` LEIs that instruments have as issuers; return their number.

    LEIs with a record or a request are left out. None is added if a golden copy is loaded.
    """
    if has_golden_copy():
        return 0
    leis = [lei for lei in _read_missing(limit) if is_lei(lei) and is_valid(lei)]
    EntityRequest.objects.add(leis)
    return len(leis)


def _read_missing(limit: int) -> list[str]:
    """Return up to `limit` LEIs that instruments have as issuers, without a record or a request."""
    if connection.vendor == "sqlite":  # the index of codes has each of them once
        return search.read_codes(DEFAULT_DB_ALIAS, "issuer", condition=_IS_MISSING, limit=limit)
    entities = LegalEntity.objects.filter(lei=OuterRef("issuer_lei")).order_by()
    requests = EntityRequest.objects.filter(lei=OuterRef("issuer_lei"), subject=Subject.RECORD)
    missing = Instrument.objects.exclude(issuer_lei="").filter(
        ~Exists(entities), ~Exists(requests.order_by())
    )
    leis = missing.order_by("issuer_lei").values_list("issuer_lei", flat=True).distinct()
    return list(leis[:limit])


def sync(
    *,
    limit: int | None = None,
    leis: Collection[str] | None = None,
    wait: Wait = time.sleep,
    progress: Progress = lambda counts: None,
) -> SyncCounts:
    """Ask for the records and relationships that are due, of these LEIs only if given, and merge them.

    `limit` is the greatest number of records, and of LEIs whose relationships are read. Requests that cannot
    be answered now are given back. Raises the errors of marketdata.services.JsonClient; what was answered
    before is stored.
    """
    counts = SyncCounts()
    with GleifApi(wait=wait) as api:
        for requests in _claimed(Subject.RECORD, PAGE_SIZE, limit=limit, leis=leis):
            with _given_back_on_error(requests):
                _ask_for_records(api, requests, counts)
            progress(counts)
        for requests in _claimed(Subject.GROUP, 1, limit=limit, leis=leis):
            with _given_back_on_error(requests):
                _ask_for_group(api, requests[0], counts)
            progress(counts)
    return counts


def _claimed(
    subject: str, size: int, *, limit: int | None, leis: Collection[str] | None
) -> Iterator[list[EntityRequest]]:
    """Yield batches of claimed requests until none is due, or `limit` is reached."""
    left = limit
    for part in in_batches(sorted(leis)) if leis is not None else [None]:
        while left is None or left > 0:
            claimed = size if left is None else min(left, size)
            requests = EntityRequest.objects.claim(subject, claimed, leis=part)
            if not requests:
                break
            left = None if left is None else left - len(requests)
            yield requests


class _given_back_on_error:  # noqa: N801  # a context, as those of contextlib
    """Gives claimed requests back if the block raises."""

    def __init__(self, requests: Sequence[EntityRequest]) -> None:
        self._requests = requests

    def __enter__(self) -> None: ...

    def __exit__(self, error_type: type[BaseException] | None, *rest: object) -> None:
        if error_type is not None:
            EntityRequest.objects.give_back(self._requests)


def _ask_for_records(api: GleifApi, requests: list[EntityRequest], counts: SyncCounts) -> None:
    leis = [request.lei for request in requests]
    answer = api.read_records(leis)
    rejected = _merge(answer, counts)
    records = {str(record["attributes"].get("lei")): record for record in answer.objects["LEI2"]}
    now = timezone.now()
    groups = []
    with transaction.atomic():
        for request in requests:
            counts.asked += 1
            record = records.get(request.lei)
            if request.lei in rejected:
                counts.failed += 1
                request.state = State.FAILED
                request.fail(rejected[request.lei], retry_seconds=settings.RETRY_SECONDS)
                counts.problems.append(f"{request.lei}: {request.problem}")
            elif record is None:
                counts.unknown += 1
                request.state = State.UNKNOWN
                request.answer(at=now, repeat_after=settings.ENTITY_UNKNOWN_DAYS * _A_DAY)
            else:
                counts.known += 1
                request.state = State.KNOWN
                request.answer(at=now, repeat_after=settings.ENTITY_REFRESH_DAYS * _A_DAY)
                groups.append((request.lei, select_links(record)))
            request.save()
        _request_groups(groups)


def _request_groups(groups: list[tuple[str, list[str]]]) -> None:
    """Make the requests for the relationships of LEIs due; without links there is nothing to ask."""
    now = timezone.now()
    rows = EntityRequest.objects.filter(subject=Subject.GROUP, lei__in=[lei for lei, _ in groups])
    known = {row.lei: row for row in rows}
    new = []
    for lei, links in groups:
        row = known.get(lei)
        if row is None:
            new.append(EntityRequest(lei=lei, subject=Subject.GROUP, links=links, due_at=now))
        else:
            row.links, row.due_at = links, now
            row.save(update_fields=["links", "due_at"])
    EntityRequest.objects.bulk_create(new)


def _ask_for_group(api: GleifApi, request: EntityRequest, counts: SyncCounts) -> None:
    answer = api.read_links(request.links or [])
    rejected = _merge(answer, counts, about=request.lei)
    counts.groups += 1
    request.state = State.FAILED if rejected else State.KNOWN
    if rejected:
        [(key, reason), *_] = rejected.items()
        request.fail(f"{key}: {reason}", retry_seconds=settings.RETRY_SECONDS)
        counts.failed += 1
        counts.problems.append(f"{request}: {request.problem}")
    else:
        # It is due again when the record has been read again.
        request.answer(at=timezone.now(), repeat_after=None)
    request.save()


@dataclasses.dataclass(frozen=True)
class _StagedAnswer:
    """The key and the name of the staging tables of an answer."""

    pk: str
    name: str


def _merge(answer: Answer, counts: SyncCounts, *, about: str = "") -> dict[str, str]:
    """Merge the objects of an answer; return the reason of each rejected one by its LEI.

    With `about`, the answer has all relationships and exceptions of an LEI: those of an earlier answer that
    it lacks are deleted.
    """
    rejected: dict[str, str] = {}
    for kind, objects in answer.objects.items():
        if objects or (about and kind != "LEI2"):
            rejected |= _merge_kind(kind, answer, counts, about)
    return rejected


def _merge_kind(kind: str, answer: Answer, counts: SyncCounts, about: str) -> dict[str, str]:
    dataset, layout = _LAYOUTS[kind]
    origin = Origin.of_answer(answer.published_at, dataset)
    Path(settings.STAGING_DIR).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="answer-", dir=settings.STAGING_DIR))
    try:
        staged = stage_batches(
            folder / "staged.sqlite3",
            api_records.batches_of(kind, layout.mapping, answer.objects[kind]),
            layout=layout,
            day=answer.published_at.date(),
        )
        name = folder.name.replace("-", "_")
        with (
            attached(connection, _StagedAnswer(name, origin.name), staged) as cursor,
            transaction.atomic(),
        ):
            if kind == "LEI2":
                merged = load_entities.merge_from(cursor, origin, staged.columns)
            else:
                merged = load_level_2.merge_from(cursor, origin, kind, staged.columns)
            if about and kind != "LEI2":
                counts.ended += load_level_2.delete_not_answered(cursor, origin, kind, [about])
            counts.new += merged.new
            counts.changed += merged.changed
            if merged.new or merged.changed or about:
                DataVersion.objects.renew(DataSubject.ENTITIES)
        return _read_rejected(staged.path, answer.objects[kind])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read_rejected(path: Path, objects: list[dict[str, dict[str, str]]]) -> dict[str, str]:
    """Return the first reason why each record is rejected, by its LEI, or its key if it has none."""
    with closing(sqlite3.connect(path)) as staged:
        rows = staged.execute("SELECT position, field, reason FROM rejected ORDER BY position DESC")
        reasons = {int(position): f"{field} {reason}" for position, field, reason in rows}
    keys = {position: objects[position - 1] for position in reasons}
    return {
        str(row["attributes"].get("lei") or row.get("id")): reasons[position]
        for position, row in keys.items()
    }
