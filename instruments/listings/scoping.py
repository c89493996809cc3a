"""Set the scope of a register, reload files for a wider one, and delete records outside a narrower one."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db import connection, transaction

from audit import trail
from esma_files import queue
from esma_files.datasets import Dataset
from esma_files.kinds import kinds_of
from esma_files.models import EsmaFile, Run
from esma_files.models.file import EsmaFileQuerySet
from instruments import pipeline
from instruments.listings.load import pruning, search_index
from instruments.listings.load.scope import INSTRUMENT_FILES
from instruments.listings.models.scope import KINDS, codes
from instruments.models import Register, Scope
from marketdata.common.errors import PermanentError
from marketdata.common.plain import to_plain
from marketdata.web.access import may_see_user_name

_DATASETS = [d for d in Dataset if any(kind.has_scope for kind in kinds_of(d))]


@dataclasses.dataclass(frozen=True)
class Backlog:
    """Files that were loaded with a scope that does not cover the current one."""

    stored: list[EsmaFile]  # can be read; in publication order
    not_stored: list[EsmaFile]


def change(
    register: Register, criteria: Mapping[str, Iterable[str]], *, by: str = "", request: Any = None
) -> Scope:
    """Set the scope of a register; kinds of criteria that are left out are open.

    Nothing that is loaded already changes: see `backlog`. Raises ValidationError.
    """
    values = {kind: codes(kind, criteria.get(kind, ())) for kind in KINDS}
    with transaction.atomic():
        old = Scope.objects.current(register)
        if old.values() == values:
            return old
        scope = Scope.objects.create(register=register, set_by=by, **values)
        trail.record(
            "scope.set", request=request, about=register.value, old=old.values(), new=values
        )
    return scope


def backlog(register: Register) -> Backlog:
    """Return the loaded files of a register that its scope requires to be read again. Three queries."""
    files = list(_lacking(register).in_publication_order())
    return Backlog(
        stored=[file for file in files if file.has_content],
        not_stored=[file for file in files if not file.has_content],
    )


def request_backfill(backlog: Backlog, *, by: str) -> list[Run]:
    """Queue a load of each stored file of a backlog; return the runs.

    A load may add later files to the backlog, for which a further backfill is needed.
    """
    return [queue.request_run(Run.Kind.LOAD, file=file, requested_by=by) for file in backlog.stored]


def describe_scope(scope: Scope, *, user: Any = None) -> dict[str, Any]:
    """Return a scope as plain values, with the names of the files of its backlog.

    The name of who set it is None where `user` may not see it; a command, without a user, may.
    """
    files = backlog(Register(scope.register))
    name = scope.set_by
    is_visible = user is None or not name or may_see_user_name(user, name)
    return {
        "register": scope.register,
        "number": scope.number,
        **scope.values(),
        "set_at": to_plain(scope.set_at) if scope.number else None,
        "set_by": name if is_visible else None,
        "to_backfill": [file.name for file in files.stored],
        "not_stored": [file.name for file in files.not_stored],
    }


def _lacking(register: Register) -> EsmaFileQuerySet:
    """Return the files that were loaded with a scope that does not cover the current one."""
    current = Scope.objects.current(register)
    scopes = [Scope(register=register), *Scope.objects.filter(register=register)]
    covering = [scope.number for scope in scopes if scope.covers(current)]
    return _loaded(register).exclude(scope_number__in=covering)


def _loaded(register: Register) -> EsmaFileQuerySet:
    datasets = [dataset for dataset in _DATASETS if Register.of_dataset(dataset) == register]
    files = EsmaFile.objects.filter(dataset__in=datasets, kind__in=INSTRUMENT_FILES)
    return files.exclude(loaded_at=None)


def backfill(
    register: Register, *, progress: pipeline.LoadProgress | None = None
) -> Iterator[pipeline.LoadResult]:
    """Read the backlog again, in publication order, until nothing is left but files that failed.

    After a file with new listings, later deltas have to be read again, so there may be a second round.
    """
    failed: set[int] = set()
    while files := [file for file in backlog(register).stored if file.pk not in failed]:
        for loaded in pipeline.load(files, progress=progress):
            if loaded.error is not None or loaded.file.state != EsmaFile.State.LOADED:
                failed.add(loaded.file.pk)  # or another worker is reading it
            yield loaded


class NothingToPrune(PermanentError):
    """Everything in a register is in scope."""


def outside(register: Register) -> Iterator[pruning.Page]:
    """Count what is out of scope, page by page. Raises NothingToPrune."""
    yield from pruning.pages(_narrowed(register), delete=False)


def prune(register: Register, *, by: str = "", request: Any = None) -> Iterator[pruning.Page]:
    """Delete what is out of scope, page by page. Raises NothingToPrune.

    The source files keep the records: they are in the backlog of a wider scope.
    """
    scope = _narrowed(register)
    # First of all: after an interrupted prune, no file may count as covering a scope that lost records.
    _lacking(register).update(scope_number=None)
    _loaded(register).exclude(scope_number=None).update(scope_number=scope.number)
    listings = versions = 0
    for page in pruning.pages(scope, delete=True):
        listings, versions = listings + page.listings, versions + page.versions
        yield page
    tidy()
    deleted = {"listings": listings, "versions": versions}
    trail.record("scope.pruned", request=request, actor=by, about=register.value, new=deleted)


def tidy() -> None:
    """Delete what all pages together leave over, also those of a prune that was killed."""
    pruning.delete_unused_cfi_codes()
    search_index.tidy(connection)


def _narrowed(register: Register) -> Scope:
    scope = Scope.objects.current(register)
    if scope.is_everything:
        raise NothingToPrune(f"{register}: everything is in scope, so there is nothing to prune")
    return scope
