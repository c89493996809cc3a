"""Enrichment: data of instruments from outside services, as runs.

The state of each question is in its request row (`FigiRequest`, `EntityRequest`), so a run may end at any
time: what was answered is stored, and the next run asks for the rest. A service that is down does not keep
the other one from being asked.
"""

import dataclasses
from collections.abc import Collection

from django.conf import settings
from django.db import transaction

from esma_files import queue, runs
from esma_files.models import Run
from instruments.entities import syncing as entities
from instruments.entities.search import is_lei
from instruments.figis import syncing as figis
from instruments.lei import is_valid
from instruments.listings.lookup import resolve_isins
from instruments.models import EntityRequest, FigiRequest, Instrument
from marketdata.common.batches import in_batches
from marketdata.common.errors import InvalidQuery, MarketDataError, NotInDatabase

MAX_ISINS = 1_000


def request(isins: Collection[str], *, requested_by: str = "") -> Run:
    """Queue a run that asks about these instruments, due or not; return an open one for the same ISINs.

    A FIGI or ticker that only one instrument has may take the place of an ISIN. Raises InvalidQuery for
    malformed, unknown or too many ISINs, NotInDatabase for a single unknown one.
    """
    codes = sorted(set(resolve_isins(isins)))
    if len(codes) > MAX_ISINS:
        raise InvalidQuery("isins", f"At most {MAX_ISINS:,} ISINs; these are {len(codes):,}.")
    known: set[str] = set()
    for part in in_batches(codes):
        known |= set(Instrument.objects.filter(pk__in=part).values_list("pk", flat=True))
    if unknown := [code for code in codes if code not in known]:
        listed = ", ".join(unknown[:10]) + (", ..." if len(unknown) > 10 else "")
        message = f"No loaded file has {listed}."
        if len(codes) == 1:
            raise NotInDatabase(message)
        raise InvalidQuery("isins", message)
    with transaction.atomic():
        FigiRequest.objects.add(codes, again=True)
        EntityRequest.objects.add(_read_leis(codes).values(), again=True)
        return queue.request_run(
            Run.Kind.ENRICH, requested_by=requested_by, arguments={"isins": " ".join(codes)}
        )


def _read_leis(isins: Collection[str]) -> dict[str, str]:
    """Return the published LEI of each ISIN that has a valid one."""
    leis: dict[str, str] = {}
    for part in in_batches(sorted(isins)):
        leis.update(Instrument.objects.filter(pk__in=part).values_list("pk", "issuer_lei"))
    return {isin: lei for isin, lei in leis.items() if is_lei(lei) and is_valid(lei)}


@dataclasses.dataclass
class _Progress:
    """The counts of a run, from both services."""

    run: Run
    total: int
    of_isins: figis.SyncCounts = dataclasses.field(default_factory=figis.SyncCounts)
    of_leis: entities.SyncCounts = dataclasses.field(default_factory=entities.SyncCounts)

    def note_figis(self, counts: figis.SyncCounts) -> None:
        self.of_isins = counts
        self._note()

    def note_entities(self, counts: entities.SyncCounts) -> None:
        self.of_leis = counts
        self._note()

    def _note(self) -> None:
        run, of_isins, of_leis = self.run, self.of_isins, self.of_leis
        run.read = of_isins.asked + of_leis.asked
        run.new = of_isins.new_figis + of_leis.new
        run.changed = of_isins.changed_figis + of_leis.changed
        run.ended = of_isins.ended_figis + of_leis.ended
        run.unchanged = of_isins.no_match + of_leis.unknown
        run.rejected = of_isins.invalid + of_isins.failed + of_leis.failed
        run.report = [*of_isins.problems, *of_leis.problems]
        run.save()
        run.note(share=min(1, run.read / (self.total or 1)), done=run.read, unit="codes")


def enrich(*, run: Run) -> Run:
    """Ask OpenFIGI for the ISINs of a run and GLEIF for the LEIs of their issuers.

    Without ISINs for what is missing or due, up to FIGI_ISINS_PER_RUN and ENTITY_LEIS_PER_RUN. Of the run,
    `read` counts ISINs and LEIs asked for; `new`, `changed` and `ended` count FIGIs, entities and
    relationships; `unchanged` ISINs without a FIGI and LEIs that GLEIF does not know; `rejected` those
    without a usable answer. Raises the errors of JsonClient, after both services were asked.
    """
    isins = str(run.arguments.get("isins", "")).split() or None
    with runs.failing_on_error(run):
        leis = None if isins is None else sorted(set(_read_leis(isins).values()))
        if isins is None or leis is None:
            progress = _Progress(run, _add_missing())
        else:
            progress = _Progress(run, len(isins) + len(leis))
            if run.attempt > 1:  # the worker of an earlier attempt has died, and kept its claims
                _release(isins, leis)
        errors = _ask(isins, leis, progress)
        if isins is not None and leis is not None:
            run.report = [*_describe_figis(isins), *_describe_entities(leis)]
        if errors:
            raise errors[0]
        run.end()
    return run


def _add_missing() -> int:
    """Add requests for what instruments lack; return the number of ISINs and LEIs to be asked for."""
    isins, leis = settings.FIGI_ISINS_PER_RUN, settings.ENTITY_LEIS_PER_RUN
    due_isins = FigiRequest.objects.due().filter(mic="")[:isins].count()
    due_leis = EntityRequest.objects.due().filter(subject=EntityRequest.Subject.RECORD)
    number = due_leis[:leis].count()
    added = figis.add_missing(isins - due_isins) + entities.add_missing(leis - number)
    return due_isins + number + added


def _ask(
    isins: Collection[str] | None, leis: Collection[str] | None, progress: _Progress
) -> list[MarketDataError]:
    """Ask both services; return the errors that ended the work with one."""
    by_schedule = isins is None
    errors: list[MarketDataError] = []
    try:
        limit = settings.FIGI_ISINS_PER_RUN if by_schedule else None
        figis.sync(limit=limit, isins=isins, progress=progress.note_figis)
    except MarketDataError as error:
        errors.append(error)
    try:
        limit = settings.ENTITY_LEIS_PER_RUN if by_schedule else None
        entities.sync(limit=limit, leis=leis, progress=progress.note_entities)
    except MarketDataError as error:
        errors.append(error)
    return errors


def _release(isins: Collection[str], leis: Collection[str]) -> None:
    for part in in_batches(sorted(isins)):
        FigiRequest.objects.filter(mic="", isin__in=part).update(claim=None, claimed_until=None)
    for part in in_batches(sorted(leis)):
        EntityRequest.objects.filter(lei__in=part).update(claim=None, claimed_until=None)


def _describe_figis(isins: Collection[str]) -> list[str]:
    """Return a line for each ISIN: its state, and the problem if there is one."""
    lines = []
    for part in in_batches(sorted(isins)):
        for row in FigiRequest.objects.filter(isin__in=part, mic="").order_by("isin"):
            problem = f" ({row.problem})" if row.problem else ""
            lines.append(f"{row.isin}: FIGIs: {row.get_state_display()}{problem}")
    return lines


def _describe_entities(leis: Collection[str]) -> list[str]:
    """Return a line for each question about an LEI: its state, and the problem if there is one."""
    lines = []
    for part in in_batches(sorted(leis)):
        for row in EntityRequest.objects.filter(lei__in=part).order_by("lei", "-subject"):
            problem = f" ({row.problem})" if row.problem else ""
            subject = row.get_subject_display()
            lines.append(f"{row.lei}: {subject}: {row.get_state_display()}{problem}")
    return lines
