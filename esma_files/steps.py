"""What is done with files, one step at a time: by a command, a worker or a button."""

import datetime as dt
from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from esma_files import gaps, listing, registers, retention, runs, sweeping
from esma_files.models import EsmaFile, Run

# How far back a sync looks that nobody has told: a register adds late files for some days.
_LOOK_BACK_DAYS = 14
_LONGEST_LOOK_BACK_DAYS = 90


def sync(
    dataset: str,
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
    kinds: Collection[str] = (),
    categories: Collection[str] = (),
    run: Run | None = None,
) -> Run:
    """Note what a register has published; returns the run. Raises what registers.published raises.

    Without `since` it looks back two weeks, and further where something is missing.
    """
    since, until = since or look_back(dataset), until or timezone.localdate()
    run = run or Run.begin(Run.Kind.SYNC)
    run.arguments = {**run.arguments, "dataset": dataset, "since": f"{since}", "until": f"{until}"}
    with runs.failing_on_error(run):
        found = registers.published(dataset, since, until, kinds=kinds)
        wanted = [f for f in found.files if not categories or f.name.category in ("", *categories)]
        compared = listing.note(wanted)
        run.new, run.changed, run.unchanged = compared.new, compared.changed, compared.unchanged
        run.rejected = len(found.bad)
        run.read = len(wanted) + run.rejected
        run.report = [*map(str, found.bad), *map(str, gaps.find(dataset))]
        run.end()
    return run


def look_back(dataset: str) -> dt.date:
    """The day to list from: two weeks ago, or that of the oldest gap."""
    today = timezone.localdate()
    days = [today - dt.timedelta(days=_LOOK_BACK_DAYS), *(gap.day for gap in gaps.find(dataset))]
    return max(min(days), today - dt.timedelta(days=_LONGEST_LOOK_BACK_DAYS))


def clean_up(*, run: Run | None = None) -> Run:
    """Carry out the retention policy; returns the run: `ended` files deleted, `changed` moved or packed."""
    run = run or Run.begin(Run.Kind.CLEAN)
    with runs.failing_on_error(run):
        runs.release_abandoned()
        swept = sweeping.sweep()
        actions = retention.plan()
        run.read, report = len(actions), [f"{name}: swept away" for name in swept]
        report += [
            f"{name}: in the storage, but no row points to it" for name in sweeping.orphans()
        ]
        doing = [action for action in actions if action.verb != "leave"]
        for number, done in enumerate(retention.carry_out(doing), start=1):
            action = done.action
            said = f"{action.file.name}: {action.verb}, {action.reason}"
            if done.error or done.skipped:
                run.rejected += 1
                said += f": {done.error or 'not done, it has changed meanwhile'}"
            elif action.verb == "delete":
                run.ended += 1
            else:
                run.changed += 1
            report.append(said)
            run.note(share=number / len(doing), done=number, unit="files")
        run.unchanged = run.read - run.ended - run.changed - run.rejected
        run.report = report
        run.end()
    return run


def keep(file: EsmaFile, *, kept: bool, requested_by: str = "") -> Run:
    """Mark a file as kept, or no longer; returns the run that says who did it."""
    run = Run.begin(Run.Kind.KEEP, file=file, requested_by=requested_by, arguments={"kept": kept})
    with transaction.atomic():
        run.changed = EsmaFile.objects.filter(pk=file.pk, kept=not kept).update(kept=kept)
        run.end()
    return run


def delete(file: EsmaFile, *, run: Run) -> Run:
    """Delete the bytes of the set that a file belongs to. Raises NotToBeDeleted."""
    with runs.failing_on_error(run):
        deleted = retention.delete_set(file)
        run.ended, run.report = len(deleted), [each.name for each in deleted]
        run.end()
    return run
