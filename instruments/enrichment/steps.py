"""Enrichment: data of instruments from outside services, as runs.

The state of each ISIN is in its request row (`FigiRequest`), so a run may end at any time: what was answered
is stored, and the next run asks for the rest.
"""

from collections.abc import Collection

from django.conf import settings
from django.db import transaction

from esma_files import queue, runs
from esma_files.models import Run
from instruments.figis import syncing
from instruments.listings.lookup import check_isin
from instruments.models import FigiRequest, Instrument
from marketdata.common.batches import in_batches
from marketdata.common.errors import InvalidQuery, NotInDatabase

MAX_ISINS = 1_000


def request(isins: Collection[str], *, requested_by: str = "") -> Run:
    """Queue a run that asks for these instruments, due or not; return the open one for the same ISINs if any.

    Raises InvalidQuery for malformed, unknown or too many ISINs, NotInDatabase for a single unknown one.
    """
    codes = sorted({check_isin(isin) for isin in isins})
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
        return queue.request_run(
            Run.Kind.ENRICH, requested_by=requested_by, arguments={"isins": " ".join(codes)}
        )


def enrich(*, run: Run) -> Run:
    """Ask for the ISINs of a run; without ISINs for what is missing or due, up to FIGI_ISINS_PER_RUN.

    Of the run, `read` counts ISINs asked for, `new`, `changed` and `ended` count FIGIs, `unchanged` ISINs
    without a FIGI, `rejected` ISINs without a usable answer. Raises the errors of JsonClient.post.
    """
    isins = str(run.arguments.get("isins", "")).split() or None
    with runs.failing_on_error(run):
        if isins is None:
            limit = settings.FIGI_ISINS_PER_RUN
            due = FigiRequest.objects.due().filter(mic="")[:limit].count()
            total = due + syncing.add_missing(limit - due)
        else:
            limit, total = None, len(isins)
            if run.attempt > 1:  # the worker of an earlier attempt has died, and kept its claims
                _release(isins)

        def note(counts: syncing.SyncCounts) -> None:
            run.read, run.new = counts.asked, counts.new_figis
            run.changed, run.ended = counts.changed_figis, counts.ended_figis
            run.unchanged, run.rejected = counts.no_match, counts.invalid + counts.failed
            run.report = counts.problems
            run.save()
            run.note(share=min(1, counts.asked / (total or 1)), done=counts.asked, unit="ISINs")

        syncing.sync(limit=limit, isins=isins, progress=note)
        if isins is not None:
            run.report = _describe_outcomes(isins)
        run.end()
    return run


def _release(isins: Collection[str]) -> None:
    for part in in_batches(sorted(isins)):
        rows = FigiRequest.objects.filter(isin__in=part, mic="")
        rows.update(claim=None, claimed_until=None)


def _describe_outcomes(isins: Collection[str]) -> list[str]:
    """Return a line for each ISIN: its state, and the problem if there is one."""
    lines = []
    for part in in_batches(sorted(isins)):
        for row in FigiRequest.objects.filter(isin__in=part, mic="").order_by("isin"):
            problem = f" ({row.problem})" if row.problem else ""
            lines.append(f"{row.isin}: FIGIs: {row.get_state_display()}{problem}")
    return lines
