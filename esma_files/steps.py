"""Steps that commands, workers and buttons carry out: syncs, clean-ups, marks, deletions."""

import contextlib
import datetime as dt
from collections.abc import Collection
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from esma_files import gaps, registers, retention, runs, store, sweeping, syncing
from esma_files.models import EsmaFile, Run
from marketdata.common.errors import PermanentError


class WrongReplacement(PermanentError):
    """A file that cannot replace another one."""


# Days that a sync without a first day looks back: a register adds late files for some days.
_LOOK_BACK_DAYS = 14
_LONGEST_LOOK_BACK_DAYS = 90
# In the arguments of a run that deletes the bytes of one file, and not of its set.
ALONE = {"alone": "true"}


def sync(
    dataset: str,
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
    kinds: Collection[str] = (),
    categories: Collection[str] = (),
    run: Run | None = None,
) -> Run:
    """Record the files that a register lists. Raises the errors of registers.published.

    Without `since` it looks back two weeks, and further where something is missing.
    """
    since, until = since or look_back(dataset), until or timezone.localdate()
    run = run or Run.begin(Run.Kind.SYNC)
    run.arguments = {**run.arguments, "dataset": dataset, "since": f"{since}", "until": f"{until}"}
    with runs.failing_on_error(run):
        entries = registers.published(dataset, since, until, kinds=kinds)
        files = [f for f in entries.files if not categories or f.name.category in ("", *categories)]
        comparison = syncing.record_entries(files)
        syncing.record_history(dataset, today=timezone.localdate())
        run.new, run.changed = comparison.new, comparison.changed
        run.unchanged, run.rejected = comparison.unchanged, len(entries.unusable)
        run.read = len(files) + run.rejected
        run.report = [*map(str, entries.unusable), *map(str, gaps.find(dataset))]
        run.end()
    return run


def look_back(dataset: str) -> dt.date:
    """Return the first day to ask for: two weeks ago, or the day of the oldest gap."""
    today = timezone.localdate()
    days = [today - dt.timedelta(days=_LOOK_BACK_DAYS), *(gap.day for gap in gaps.find(dataset))]
    return max(min(days), today - dt.timedelta(days=_LONGEST_LOOK_BACK_DAYS))


def clean_up(*, run: Run | None = None) -> Run:
    """Carry out the retention policy. Of the run, `ended` counts deleted files, `changed` moved or compressed
    ones.
    """
    run = run or Run.begin(Run.Kind.CLEAN)
    with runs.failing_on_error(run):
        runs.release_abandoned()
        report = [f"{name}: removed, an unfinished step had left it" for name in sweeping.sweep()]
        report += [
            f"{name}: is in the storage, and no row refers to it" for name in sweeping.orphans()
        ]
        actions = retention.plan()
        run.read = len(actions)
        to_do = [action for action in actions if action.verb != "leave"]
        for number, outcome in enumerate(retention.carry_out(to_do), start=1):
            action = outcome.action
            line = f"{action.file.name}: {action.verb}, {action.reason}"
            if outcome.error or outcome.skipped:
                run.rejected += 1
                line += f": {outcome.error or 'not done, because the file has changed meanwhile'}"
            elif action.verb == "delete":
                run.ended += 1
            else:
                run.changed += 1
            report.append(line)
            run.note(share=number / len(to_do), done=number, unit="files")
        run.unchanged = run.read - run.ended - run.changed - run.rejected
        run.report = report
        run.end()
    return run


def keep(file: EsmaFile, *, kept: bool, requested_by: str = "") -> Run:
    """Mark a file as kept, or remove the mark; return the run that records who did it."""
    run = Run.begin(Run.Kind.KEEP, file=file, requested_by=requested_by, arguments={"kept": kept})
    with transaction.atomic():
        run.changed = EsmaFile.objects.filter(pk=file.pk, kept=not kept).update(kept=kept)
        run.end()
    return run


def replace(file: EsmaFile, path: Path, *, run: Run) -> EsmaFile:
    """Store the file at `path` as the newest revision of a file, whose bytes are removed; return it.

    What replaces an excerpt is an excerpt, too: as a whole file, it would drop the listings that it lacks.
    Raises NotToBeDeleted, WrongReplacement, and the errors of store.store_file.
    """
    with runs.failing_on_error(run):
        if path.stem != Path(file.name).stem:
            raise WrongReplacement(f"{path.name} cannot replace {file.name}: its name differs.")
        if reason := retention.hindrance_of_file(file):
            raise retention.NotToBeDeleted(f"{file.name}: {reason}")
        newest = store.store_file(path, dataset=file.dataset, excerpt=file.is_excerpt)
        if newest.pk == file.pk:
            raise WrongReplacement(f"{path} has the same bytes as {file.name}.")
        retention.remove_file(file)
        run.ended, run.new, run.report = 1, 1, [f"replaced by revision {newest.revision}"]
        run.end()
    return newest


def supersede_bad(newest: EsmaFile) -> list[EsmaFile]:
    """Remove the older revisions of a file that failed, or that the load gate holds; return them.

    Those that are marked as kept, or that a worker is busy with, are left.
    """
    bad = EsmaFile.objects.other_revisions(newest).filter(
        loaded_at=None,
        revision__lt=newest.revision,
        state__in=[EsmaFile.State.FAILED, EsmaFile.State.HELD, *EsmaFile.BEFORE],
    )
    removed = []
    for file in bad:
        with contextlib.suppress(retention.NotToBeDeleted):
            retention.remove_file(file)
            removed.append(file)
    return removed


def delete(file: EsmaFile, *, run: Run) -> Run:
    """Delete the bytes of the set that a file belongs to, or of the file alone if the run has ALONE.

    Raises NotToBeDeleted.
    """
    with runs.failing_on_error(run):
        if run.arguments == ALONE:
            retention.remove_file(file)
            deleted = [file]
        else:
            deleted = retention.delete_set(file)
        run.ended, run.report = len(deleted), [file.name for file in deleted]
        run.end()
    return run
