"""What is kept: which files move to a cheaper tier, are compressed, or are deleted, and why.

`plan` decides by set and touches nothing; `carry_out` does what a plan says, looking at each file once
more. A set is deleted as a whole or not at all, and never while one of its files is kept, not loaded,
or in the newest complete full set of its category.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from esma_files import moving, sets, store
from esma_files.errors import LostFile
from esma_files.models import EsmaFile
from marketdata.common.errors import MarketDataError, PermanentError

if TYPE_CHECKING:  # slow to import, and only needed where it is configured
    from esma_files.storage.blob import BlobStorage

_VERBS = {"cool": EsmaFile.Tier.COOL, "archive": EsmaFile.Tier.ARCHIVE}
_CHEAPER = {EsmaFile.Tier.HOT: 0, EsmaFile.Tier.COOL: 1, EsmaFile.Tier.ARCHIVE: 2}


@dataclasses.dataclass(frozen=True)
class Action:
    """One thing to do with one file: `cool`, `archive`, `compress`, `delete` or `leave`."""

    file: EsmaFile
    verb: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Done:
    """An action that was carried out, or why it was not."""

    action: Action
    error: MarketDataError | None = None
    skipped: bool = False


class NotToBeDeleted(PermanentError):
    """The set is kept, not loaded, incomplete, or the newest full one."""


class NoTiers(PermanentError):
    """The file is not in Blob Storage."""


class _Changed(Exception):
    """Between plan and deed a worker has taken a file, or somebody has marked it as kept."""


def plan(*, today: dt.date | None = None) -> list[Action]:
    """What the policy asks for, oldest set first, with what it leaves alone. One query."""
    today = today or timezone.localdate()
    stored = [s for s in sets.group(EsmaFile.objects.order_by("sequence", "pk")) if _any_stored(s)]
    newest = _newest_whole(stored)
    actions: list[Action] = []
    for each in stored:
        actions += _for_set(each, newest, (today - each.key.day).days)
    return _within_budget(actions, stored, newest)


def hindrance(each: sets.FileSet, newest: set[sets.SetKey] | None = None) -> str:
    """Why a set must not be deleted; "" where it may be."""
    if any(file.kept for file in each.files):
        return "marked as kept"
    if each.key in (_newest_whole_of_all() if newest is None else newest):
        return "the newest complete full set"
    if each.missing:
        return f"part {', '.join(map(str, each.missing))} of its set has not come yet"
    waiting = [f for f in each.files if f.state != EsmaFile.State.DELETED and not f.loaded_at]
    if waiting:
        return f"{waiting[0].name} is not loaded yet ({waiting[0].state})"
    busy = [file for file in each.files if file.state in EsmaFile.BEFORE]
    return f"{busy[0].name} is {busy[0].state}" if busy else ""


def _any_stored(each: sets.FileSet) -> bool:
    return any(file.has_content for file in each.files)


def _newest_whole(stored: list[sets.FileSet]) -> set[sets.SetKey]:
    """Of each dataset, kind and category the newest full set of which every part is stored."""
    newest: dict[tuple[str, str, str], sets.SetKey] = {}
    for each in stored:  # oldest first
        if each.is_stored_whole and not each.key.is_delta:
            newest[each.key.dataset, each.key.kind, each.key.category] = each.key
    return set(newest.values())


def _newest_whole_of_all() -> set[sets.SetKey]:
    return _newest_whole(sets.group(EsmaFile.objects.stored()))


def _for_set(each: sets.FileSet, newest: set[sets.SetKey], age: int) -> list[Action]:
    files = [file for file in each.files if file.has_content]
    old_delta = each.key.is_delta and age > settings.DELETE_DELTAS_AFTER_DAYS
    why_not = hindrance(each, newest)
    if old_delta and not why_not:
        limit = f"more than DELETE_DELTAS_AFTER_DAYS={settings.DELETE_DELTAS_AFTER_DAYS}"
        return [Action(file, "delete", f"a delta of {age} days, {limit}") for file in files]
    left = f"{age} days old"
    if old_delta:
        left = f"would be deleted, but: {why_not}"
    elif each.key in newest:
        left += ", and the newest complete full set"
    return [_for_file(file, age, left, readable=each.key in newest) for file in files]


def _for_file(file: EsmaFile, age: int, left: str, *, readable: bool) -> Action:
    """Compressing, or a cheaper tier; `readable` files do not go to the archive."""
    if file.state in EsmaFile.BEFORE:
        return Action(file, "leave", f"{file.state} now")
    if file.stored_name.endswith(".xml") and age > settings.COMPRESS_AFTER_DAYS:
        limit = f"more than COMPRESS_AFTER_DAYS={settings.COMPRESS_AFTER_DAYS}"
        return Action(file, "compress", f"uncompressed, of {age} days, {limit}")
    if file.location != EsmaFile.Location.BLOB:
        return Action(file, "leave", left)
    verb, days = "", 0
    if age > settings.ARCHIVE_AFTER_DAYS and file.state == EsmaFile.State.LOADED and not readable:
        verb, days = "archive", settings.ARCHIVE_AFTER_DAYS
    elif age > settings.COOL_AFTER_DAYS:
        verb, days = "cool", settings.COOL_AFTER_DAYS
    if verb and _CHEAPER[_VERBS[verb]] > _CHEAPER[EsmaFile.Tier(file.tier or "hot")]:
        return Action(file, verb, f"{age} days, more than {verb.upper()}_AFTER_DAYS={days}")
    return Action(file, "leave", left)


def _within_budget(
    actions: list[Action], stored: list[sets.FileSet], newest: set[sets.SetKey]
) -> list[Action]:
    """Above the budget, the oldest sets go that may: whole ones, until the rest fits."""
    deleted = {action.file.pk for action in actions if action.verb == "delete"}
    left = sum(action.file.size for action in actions if action.file.pk not in deleted)
    reasons: dict[int, str] = {}
    for each in stored:
        files = [file for file in each.files if file.has_content and file.pk not in deleted]
        if left <= settings.STORAGE_BUDGET_BYTES or not files:
            continue
        if not hindrance(each, newest):
            over = left - settings.STORAGE_BUDGET_BYTES
            why = f"{over:,} bytes over STORAGE_BUDGET_BYTES={settings.STORAGE_BUDGET_BYTES:,}"
            reasons |= {file.pk: why for file in files}
            left -= sum(file.size for file in files)
    return [
        Action(action.file, "delete", reasons[action.file.pk])
        if action.file.pk in reasons
        else action
        for action in actions
    ]


def carry_out(actions: list[Action]) -> Iterator[Done]:
    """Do what a plan says; yields each action but `leave`. A set that is deleted goes first as rows, in
    one transaction: killed after it, the next clean-up deletes the bytes.
    """
    deleting = [action for action in actions if action.verb == "delete"]
    for each in sets.group(action.file for action in deleting):
        wanted = [action for action in deleting if sets.SetKey.of(action.file) == each.key]
        yield from _delete(each.key, wanted)
    for action in actions:
        if action.verb in ("compress", *_VERBS):
            yield _change(action)


def delete_set(file: EsmaFile) -> list[EsmaFile]:
    """Delete the bytes of the whole set that a file belongs to; the rows stay. Returns the files.

    Raises NotToBeDeleted, and what the storage raises that may pass.
    """
    with transaction.atomic():
        whole = set_of(sets.SetKey.of(file))
        files = [each for each in whole.files if each.has_content]
        if why_not := hindrance(whole) or ("" if files else "nothing of it is stored"):
            raise NotToBeDeleted(f"{whole.key}: {why_not}")
        _mark_deleted(files)
    for each in files:
        remove_bytes(each)
    return files


def _delete(key: sets.SetKey, actions: list[Action]) -> Iterator[Done]:
    try:
        with transaction.atomic():
            if hindrance(set_of(key)):
                raise _Changed
            _mark_deleted([action.file for action in actions])
    except _Changed:
        yield from (Done(action, skipped=True) for action in actions)
        return
    for action in actions:
        try:
            remove_bytes(action.file)
            yield Done(action)
        except MarketDataError as error:
            yield Done(action, error)


def set_of(key: sets.SetKey) -> sets.FileSet:
    """All rows of a set. One query."""
    same = {name: getattr(key, name) for name in ("dataset", "kind", "category", "parts")}
    return sets.FileSet(key, list(EsmaFile.objects.filter(published_on=key.day, **same)))


def _mark_deleted(files: list[EsmaFile]) -> None:
    """All of them or, where a worker has just taken one, none."""
    state = EsmaFile.State
    mine = EsmaFile.objects.filter(
        pk__in=[file.pk for file in files], state__in=[state.LOADED, state.ARCHIVED, state.FAILED]
    )
    now = timezone.now()
    if mine.update(state=state.DELETED, state_since=now, problem="") != len(files):
        raise _Changed


def remove_bytes(file: EsmaFile) -> None:
    """Delete the bytes of a file whose row is DELETED, and then say that they are gone."""
    moving.delete_original(file)
    file.content.storage.delete(file.stored_name)
    EsmaFile.objects.filter(pk=file.pk, state=EsmaFile.State.DELETED).update(
        content="", size=0, tier="", stored_md5=""
    )


def set_tier(file: EsmaFile, tier: EsmaFile.Tier) -> None:
    """Move a file within Blob Storage; a loaded one in the archive is ARCHIVED.

    Raises LostFile, and what the storage raises that may pass.
    """
    if file.location != EsmaFile.Location.BLOB:
        raise NoTiers(f"{file.name} is in a folder, and tiers are of Blob Storage")
    try:
        cast("BlobStorage", file.content.storage).set_tier(file.stored_name, tier)
    except FileNotFoundError as error:
        raise LostFile(file.name, f"{file.stored_name} is not in the storage") from error
    file.tier = tier
    file.save(update_fields=["tier"])
    state = EsmaFile.State
    was, becomes = state.LOADED, state.ARCHIVED
    if tier != EsmaFile.Tier.ARCHIVE:
        was, becomes = becomes, was
    EsmaFile.objects.filter(pk=file.pk, state=was).update(state=becomes, state_since=timezone.now())


def _change(action: Action) -> Done:
    file = EsmaFile.objects.get(pk=action.file.pk)
    if file.state in EsmaFile.BEFORE or not file.has_content:
        return Done(action, skipped=True)
    try:
        if action.verb == "compress":
            store.compress(file)
        else:
            set_tier(file, _VERBS[action.verb])
    except MarketDataError as error:
        return Done(action, error)
    return Done(action)
