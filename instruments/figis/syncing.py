"""Sending the FIGI requests that are due, and storing the answers."""

import dataclasses
import datetime as dt
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from instruments.figis.mapping import Failed, Invalid, Job, Mapping, Matched, NoMatch, Outcome
from instruments.models import DataSubject, DataVersion, Figi, FigiRequest, Instrument
from marketdata.common.batches import in_batches
from marketdata.services.client import Wait

State = FigiRequest.State
_STATES: dict[type, State] = {
    Matched: State.MATCHED,
    NoMatch: State.NO_MATCH,
    Invalid: State.INVALID,
    Failed: State.FAILED,
}
_A_DAY = dt.timedelta(days=1)
_COLUMNS = [field.name for field in Figi._meta.fields if field.name not in ("id", "isin")]


@dataclasses.dataclass
class SyncCounts:
    """ISINs that were asked for, by outcome, and rows of FIGIs."""

    asked: int = 0
    matched: int = 0
    no_match: int = 0
    invalid: int = 0
    failed: int = 0
    new_figis: int = 0
    changed_figis: int = 0
    ended_figis: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)


# Called after each batch.
Progress = Callable[[SyncCounts], None]


def add_missing(limit: int) -> int:
    """Add requests for up to `limit` instruments that have none, by ISIN; return their number."""
    requests = FigiRequest.objects.filter(isin=OuterRef("isin"), mic="").order_by()
    missing = Instrument.objects.filter(~Exists(requests)).order_by("isin")
    isins = list(missing.values_list("isin", flat=True)[:limit])
    FigiRequest.objects.add(isins)
    return len(isins)


def sync(
    *,
    limit: int | None = None,
    isins: Collection[str] | None = None,
    mic: str = "",
    wait: Wait = time.sleep,
    progress: Progress = lambda counts: None,
) -> SyncCounts:
    """Send requests that are due, of these ISINs only if given, and store the answers batch by batch.

    Requests of a batch that cannot be answered now are given back. Raises the errors of
    marketdata.services.JsonClient; what was answered before is stored.
    """
    counts = SyncCounts()
    with Mapping(wait=wait) as mapping:
        for requests in _claimed(mapping, limit=limit, isins=isins, mic=mic):
            try:
                outcomes = mapping.ask([Job(request.isin, request.mic) for request in requests])
            except BaseException:
                FigiRequest.objects.give_back(requests)
                raise
            with transaction.atomic():
                for request, outcome in zip(requests, outcomes, strict=True):
                    _store(request, outcome, counts)
            progress(counts)
    return counts


def _claimed(
    mapping: Mapping, *, limit: int | None, isins: Collection[str] | None, mic: str
) -> Iterator[list[FigiRequest]]:
    """Yield batches of claimed requests until none is due, or `limit` is reached."""
    left = limit
    for part in in_batches(sorted(isins)) if isins is not None else [None]:
        while left is None or left > 0:
            size = mapping.batch_size if left is None else min(left, mapping.batch_size)
            requests = FigiRequest.objects.claim(size, isins=part, mic=mic)
            if not requests:
                break
            left = None if left is None else left - len(requests)
            yield requests


def _store(request: FigiRequest, outcome: Outcome, counts: SyncCounts) -> None:
    now = timezone.now()
    request.state = _STATES[type(outcome)]
    counts.asked += 1
    match outcome:
        case Matched():
            counts.matched += 1
            _store_figis(request, outcome.rows, counts, now)
            request.answer(at=now, repeat_after=settings.FIGI_REFRESH_DAYS * _A_DAY)
        case NoMatch():
            counts.no_match += 1
            _store_figis(request, [], counts, now)
            request.answer(at=now, repeat_after=settings.FIGI_NO_MATCH_DAYS * _A_DAY)
        case Invalid():
            counts.invalid += 1
            request.answer(at=now, repeat_after=None, problem=outcome.problem)
        case Failed():
            counts.failed += 1
            request.fail(outcome.problem, retry_seconds=settings.RETRY_SECONDS)
    if request.problem:
        counts.problems.append(f"{request}: {request.problem}")
    request.save()


def _store_figis(
    request: FigiRequest, rows: list[dict[str, str]], counts: SyncCounts, now: dt.datetime
) -> None:
    """Store the FIGIs of an answer. Those that an answer for any venue lacks are no longer current."""
    known = {row.figi: row for row in Figi.objects.filter(isin=request.isin)}
    venue = {"mic": request.mic} if request.mic else {}
    new, changed, unchanged = [], [], []
    for values in {row["figi"]: row for row in rows}.values():
        row = known.pop(values["figi"], None)
        fields: dict[str, Any] = {**values, **venue, "is_current": True}
        if row is None:
            new.append(Figi(isin=request.isin, fetched_at=now, **fields))
        elif any(getattr(row, name) != value for name, value in fields.items()):
            for name, value in {**fields, "fetched_at": now}.items():
                setattr(row, name, value)
            changed.append(row)
        else:
            unchanged.append(row.pk)
    Figi.objects.bulk_create(new)
    Figi.objects.bulk_update(changed, _COLUMNS, batch_size=50)
    Figi.objects.filter(pk__in=unchanged).update(fetched_at=now)
    ended = [] if request.mic else [row.pk for row in known.values() if row.is_current]
    Figi.objects.filter(pk__in=ended).update(is_current=False)
    counts.new_figis += len(new)
    counts.changed_figis += len(changed)
    counts.ended_figis += len(ended)
    if new or changed or ended:
        DataVersion.objects.renew(DataSubject.FIGIS)
