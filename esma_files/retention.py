"""The retention policy: files that move to a cheaper tier, are compressed, or are deleted.

`plan` decides by set and changes nothing; `carry_out` does what a plan asks for, after another look at each
file. A set is deleted as a whole or not at all, and never while one of its files is kept, not loaded,
or in the newest complete full set of its series.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from esma_files import moving, sets, store
from esma_files.errors import LostFile
from esma_files.models import EsmaFile
from marketdata.common.errors import MarketDataError, PermanentError
from marketdata.common.numbers import format_count

if TYPE_CHECKING:  # slow to import, and only needed where it is configured
    from esma_files.storage.blob import BlobStorage

_TIERS = {"cool": EsmaFile.Tier.COOL, "archive": EsmaFile.Tier.ARCHIVE}
# From the most expensive to the cheapest.
_RANK = {EsmaFile.Tier.HOT: 0, EsmaFile.Tier.COOL: 1, EsmaFile.Tier.ARCHIVE: 2}


@dataclasses.dataclass(frozen=True)
class Action:
    """One action on one file: `cool`, `archive`, `compress`, `delete` or `leave`."""

    file: EsmaFile
    verb: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Outcome:
    """An action that was carried out, or the reason why it was not."""

    action: Action
    error: MarketDataError | None = None
    skipped: bool = False


class NotToBeDeleted(PermanentError):
    """The set is kept, not loaded, incomplete, or the newest full one."""


class NoTiers(PermanentError):
    """The file is not in Blob Storage."""


class _Changed(Exception):
    """Since the plan was made, a worker has claimed a file, or somebody has marked it as kept."""


def plan(*, today: dt.date | None = None) -> list[Action]:
    """Return the action of the policy for each stored file, oldest set first. One query."""
    today = today or timezone.localdate()
    all_sets = sets.group(EsmaFile.objects.order_by("sequence", "pk"))
    stored = [file_set for file_set in all_sets if any(file.has_content for file in file_set.files)]
    newest = _newest_complete(stored)
    actions: list[Action] = []
    for file_set in stored:
        actions += _actions_for_set(file_set, newest, (today - file_set.key.day).days)
    return _within_budget(actions, stored, newest)


def hindrance(file_set: sets.FileSet, newest: set[sets.SetKey] | None = None) -> str:
    """Return the reason why a set must not be deleted; "" where it may be."""
    if any(file.kept for file in file_set.files):
        return "marked as kept"
    if file_set.key in (_newest_complete_of_all() if newest is None else newest):
        return "the newest complete full set"
    if file_set.missing_parts:
        return f"part {', '.join(map(str, file_set.missing_parts))} of its set is missing"
    files = [file for file in file_set.files if file.state != EsmaFile.State.DELETED]
    if not_loaded := [file for file in files if not file.loaded_at]:
        return f"{not_loaded[0].name} is not loaded yet ({not_loaded[0].state})"
    busy = [file for file in files if file.state in EsmaFile.BEFORE]
    return f"{busy[0].name} is {busy[0].state}" if busy else ""


def _newest_complete(stored: list[sets.FileSet]) -> set[sets.SetKey]:
    """Return for each series the newest full set of which every part is stored and has been loaded."""
    newest: dict[tuple[str, ...], sets.SetKey] = {}
    for file_set in stored:  # oldest first
        is_loaded = all(file.loaded_at for file in file_set.files)
        if is_loaded and file_set.is_completely_stored and file_set.key.is_full:
            newest[file_set.key.series] = file_set.key
    return set(newest.values())


def _newest_complete_of_all() -> set[sets.SetKey]:
    return _newest_complete(sets.group(EsmaFile.objects.stored()))


def _actions_for_set(file_set: sets.FileSet, newest: set[sets.SetKey], age: int) -> list[Action]:
    files = [file for file in file_set.files if file.has_content]
    is_old_delta = not file_set.key.is_full and age > settings.DELETE_DELTAS_AFTER_DAYS
    reason_to_keep = hindrance(file_set, newest)
    days = format_count(age, "day")
    if is_old_delta and not reason_to_keep:
        limit = f"more than DELETE_DELTAS_AFTER_DAYS={settings.DELETE_DELTAS_AFTER_DAYS}"
        return [Action(file, "delete", f"a delta of {days}, {limit}") for file in files]
    reason = f"{days} old"
    if is_old_delta:
        reason = f"would be deleted, but: {reason_to_keep}"
    elif file_set.key in newest:
        reason += ", and the newest complete full set"
    may_archive = file_set.key not in newest
    return [_action_for_file(file, age, reason, may_archive=may_archive) for file in files]


def _action_for_file(file: EsmaFile, age: int, reason: str, *, may_archive: bool) -> Action:
    """Return compression or a cheaper tier where one is due; otherwise `leave`, with `reason`."""
    if file.state in EsmaFile.BEFORE:
        return Action(file, "leave", f"{file.state} now")
    if file.stored_name.endswith(".xml") and age > settings.COMPRESS_AFTER_DAYS:
        limit = f"more than COMPRESS_AFTER_DAYS={settings.COMPRESS_AFTER_DAYS}"
        return Action(file, "compress", f"uncompressed, {format_count(age, 'day')} old, {limit}")
    if file.location != EsmaFile.Location.BLOB:
        return Action(file, "leave", reason)
    verb, days = "", 0
    is_loaded = file.state == EsmaFile.State.LOADED
    if age > settings.ARCHIVE_AFTER_DAYS and is_loaded and may_archive:
        verb, days = "archive", settings.ARCHIVE_AFTER_DAYS
    elif age > settings.COOL_AFTER_DAYS:
        verb, days = "cool", settings.COOL_AFTER_DAYS
    if verb and _RANK[_TIERS[verb]] > _RANK[EsmaFile.Tier(file.tier or "hot")]:
        return Action(
            file, verb, f"{format_count(age, 'day')}, more than {verb.upper()}_AFTER_DAYS={days}"
        )
    return Action(file, "leave", reason)


def _within_budget(
    actions: list[Action], stored: list[sets.FileSet], newest: set[sets.SetKey]
) -> list[Action]:
    """Delete the oldest sets that may be deleted, whole ones, until the rest fits into the budget."""
    deleted = {action.file.pk for action in actions if action.verb == "delete"}
    bytes_left = sum(action.file.size for action in actions if action.file.pk not in deleted)
    of_budget: dict[int, Action] = {}
    for file_set in stored:
        files = [file for file in file_set.files if file.has_content and file.pk not in deleted]
        excess = bytes_left - settings.STORAGE_BUDGET_BYTES
        if excess <= 0 or not files or hindrance(file_set, newest):
            continue
        reason = f"{excess:,} bytes over STORAGE_BUDGET_BYTES={settings.STORAGE_BUDGET_BYTES:,}"
        of_budget |= {file.pk: Action(file, "delete", reason) for file in files}
        bytes_left -= sum(file.size for file in files)
    return [of_budget.get(action.file.pk, action) for action in actions]


def carry_out(actions: list[Action]) -> Iterator[Outcome]:
    """Carry out a plan; yields the outcome of each action but `leave`.

    The rows of a set are marked as deleted first, in one transaction: after a kill, the next clean-up deletes
    the bytes.
    """
    to_delete = [action for action in actions if action.verb == "delete"]
    for file_set in sets.group(action.file for action in to_delete):
        of_set = [action for action in to_delete if sets.SetKey.of(action.file) == file_set.key]
        yield from _delete(file_set.key, of_set)
    for action in actions:
        if action.verb in ("compress", *_TIERS):
            yield _compress_or_move(action)


def delete_set(file: EsmaFile) -> list[EsmaFile]:
    """Delete the bytes of the whole set that a file belongs to, and keep the rows. Returns the files.

    Raises NotToBeDeleted, and temporary errors of the storage.
    """
    with transaction.atomic():
        file_set = set_of(sets.SetKey.of(file))
        files = [member for member in file_set.files if member.has_content]
        if reason := hindrance(file_set) or ("" if files else "nothing of it is stored"):
            raise NotToBeDeleted(f"{file_set.key}: {reason}")
        _mark_deleted(files)
    for member in files:
        remove_bytes(member)
    return files


def remove_file(file: EsmaFile) -> None:
    """Delete the bytes of one file, whatever its state and its set; the row and what was loaded stay.

    A removed file is DELETED: neither fetched nor loaded, unless somebody asks for it by name.
    Raises NotToBeDeleted if it is marked as kept, a worker is busy with it, or a part of it has been loaded.
    """
    state = EsmaFile.State
    EsmaFile.objects.filter(pk=file.pk).release_abandoned()
    # The bytes of a file of which a part is merged are needed to undo that.
    half_loaded = models.Q(is_partly_merged=True, loaded_at=None)
    idle = EsmaFile.objects.filter(~half_loaded, pk=file.pk, kept=False)
    idle = idle.exclude(state__in=EsmaFile.BEFORE)
    fresh = {"state_since": timezone.now(), "problem": "", "attempts": 0, "not_before": None}
    if not idle.update(state=state.DELETED, is_partly_merged=False, **fresh):
        file.refresh_from_db()
        raise NotToBeDeleted(f"{file.name}: {hindrance_of_file(file)}")
    file.refresh_from_db()
    if file.stored_name:
        remove_bytes(file)


def hindrance_of_file(file: EsmaFile) -> str:
    """Return the reason why a file cannot be removed; "" where it can be."""
    if file.kept:
        return "marked as kept: remove the mark first"
    if file.is_busy:
        return f"it is {file.state} now: wait until that has ended"
    if file.is_partly_merged and file.loaded_at is None:
        return (
            "its load was interrupted, and a part of its records is in the tables: wait until a worker has"
            " taken them out, within a minute"
        )
    return ""


def _delete(key: sets.SetKey, actions: list[Action]) -> Iterator[Outcome]:
    try:
        with transaction.atomic():
            if hindrance(set_of(key)):
                raise _Changed
            _mark_deleted([action.file for action in actions])
    except _Changed:
        yield from (Outcome(action, skipped=True) for action in actions)
        return
    for action in actions:
        try:
            remove_bytes(action.file)
            yield Outcome(action)
        except MarketDataError as error:
            yield Outcome(action, error)


def set_of(key: sets.SetKey) -> sets.FileSet:
    """Return all rows of a set. One query."""
    names = ("dataset", "kind", "category", "result_group", "parts")
    same = {name: getattr(key, name) for name in names}
    return sets.FileSet(key, list(EsmaFile.objects.filter(published_on=key.day, **same)))


def _mark_deleted(files: list[EsmaFile]) -> None:
    """Mark all of them. Raises _Changed where a worker has just claimed one."""
    state = EsmaFile.State
    idle = EsmaFile.objects.filter(
        pk__in=[file.pk for file in files], state__in=[state.LOADED, state.ARCHIVED, state.FAILED]
    )
    now = timezone.now()
    if idle.update(state=state.DELETED, state_since=now, problem="") != len(files):
        raise _Changed


def remove_bytes(file: EsmaFile) -> None:
    """Delete the bytes of a file whose row is DELETED, and clear its row."""
    moving.delete_original(file)
    file.content.storage.delete(file.stored_name)
    EsmaFile.objects.filter(pk=file.pk, state=EsmaFile.State.DELETED).update(
        content="", size=0, tier="", stored_md5=""
    )


def set_tier(file: EsmaFile, tier: EsmaFile.Tier) -> None:
    """Move a file within Blob Storage; a loaded one in the archive is ARCHIVED.

    Raises NoTiers, LostFile, and temporary errors of the storage.
    """
    if file.location != EsmaFile.Location.BLOB:
        raise NoTiers(f"{file.name} is in a folder, and only Blob Storage has tiers")
    try:
        cast("BlobStorage", file.content.storage).set_tier(file.stored_name, tier)
    except FileNotFoundError as error:
        raise LostFile(file.name, f"{file.stored_name} is not in the storage") from error
    file.tier = tier
    file.save(update_fields=["tier"])
    state = EsmaFile.State
    before, after = state.LOADED, state.ARCHIVED
    if tier != EsmaFile.Tier.ARCHIVE:
        before, after = after, before
    same = EsmaFile.objects.filter(pk=file.pk, state=before)
    same.update(state=after, state_since=timezone.now())


def _compress_or_move(action: Action) -> Outcome:
    file = EsmaFile.objects.get(pk=action.file.pk)
    if file.state in EsmaFile.BEFORE or not file.has_content:
        return Outcome(action, skipped=True)
    try:
        if action.verb == "compress":
            store.compress(file)
        else:
            set_tier(file, _TIERS[action.verb])
    except MarketDataError as error:
        return Outcome(action, error)
    return Outcome(action)
