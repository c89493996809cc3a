"""What is done with files, one step at a time: by a command, a worker or a button."""

import concurrent.futures
import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from esma_files import store
from esma_files.models import EsmaFile, LoadRun
from instruments.loading.load import merge_staged, stage_file
from instruments.loading.staging import Staged
from marketdata.common.errors import MarketDataError, RetryableError

# Files staged at a time (a file that is known already is all staging and no merge), and files staged
# or being staged while one is merged: letters differ in size, so one is not enough.
_STAGERS, _AHEAD = 2, 3


class Watcher(Protocol):
    """Told how far a load is; the default below does nothing."""

    def reading(self, file: EsmaFile, records: int, share: float) -> None: ...
    def merging(self, file: EsmaFile) -> None: ...


class _Nobody:
    def reading(self, file: EsmaFile, records: int, share: float) -> None:
        pass

    def merging(self, file: EsmaFile) -> None:
        pass


class DatabaseRefused(RetryableError):
    """The database could not take a file; nothing of it has been written."""


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What came of one file: its run, or the error that ended it, or neither where it was skipped."""

    file: EsmaFile
    run: LoadRun | None = None
    error: MarketDataError | None = None


def _raise(problem: MarketDataError) -> None:
    raise problem


def take_in(
    paths: Iterable[Path], *, on_problem: Callable[[MarketDataError], None] = _raise
) -> list[EsmaFile]:
    """Register and store the zips at `paths`, files or folders; returns their rows, each once.

    In publication order. `on_problem` is told what cannot be taken in; the others are.
    """
    files: dict[int, EsmaFile] = {}
    for path in paths:
        try:
            for found in store.zips(path):
                file = store.take_in(found)
                files[file.pk] = file
        except MarketDataError as problem:
            on_problem(problem)
    # Of one day the order is free; the small ones first keep the merge from waiting for a large one
    # (Johnson's rule for two machines in a row).
    return sorted(files.values(), key=lambda file: (file.sequence, file.size, file.pk))


def load(
    files: Iterable[EsmaFile], *, again: bool = True, watcher: Watcher | None = None
) -> Iterator[Loaded]:
    """Load stored files in the order given; yields what came of each.

    While one file is merged the next ones are staged already, in other threads. Files that are loaded
    are read again unless `again` is false; what another worker is busy with is left to it.
    """
    watcher = watcher or _Nobody()
    _release_abandoned()
    with concurrent.futures.ThreadPoolExecutor(max_workers=_STAGERS) as stager:
        begun: list[_Begun] = []
        try:
            for file in files:
                if not _claim(file, again=again):
                    yield Loaded(file)
                    continue
                begun.append(_begin(file, stager, watcher))
                if len(begun) > _AHEAD:
                    yield _finish(begun.pop(0), watcher)
            while begun:
                yield _finish(begun.pop(0), watcher)
        finally:
            for left in begun:
                _give_back(left)


@dataclasses.dataclass
class _Begun:
    """A file that this process has claimed, and is staging."""

    file: EsmaFile
    run: LoadRun
    staged: "concurrent.futures.Future[Staged]"


def _release_abandoned() -> None:
    EsmaFile.objects.release_abandoned()
    LoadRun.objects.filter(outcome=LoadRun.Outcome.RUNNING).exclude(
        file__state=EsmaFile.State.LOADING
    ).update(outcome=LoadRun.Outcome.ABANDONED)


def _claim(file: EsmaFile, *, again: bool) -> bool:
    """Take the file; False where it is not to be loaded, or another worker has it."""
    state = EsmaFile.State
    sources = [state.DOWNLOADED, state.FAILED, *([state.LOADED] if again else [])]
    claims = EsmaFile.objects.claim
    claimed = any(claims(file.pk, source=source, target=state.LOADING) for source in sources)
    file.refresh_from_db()
    return claimed


def _begin(file: EsmaFile, stager: concurrent.futures.Executor, watcher: Watcher) -> _Begun:
    def read(records: int, share: float) -> None:
        watcher.reading(file, records, share)

    run = LoadRun.objects.create(file=file)
    return _Begun(file, run, stager.submit(stage_file, file, progress=read))


def _finish(begun: _Begun, watcher: Watcher) -> Loaded:
    """Wait for the staging of a file, and merge it."""
    file, run = begun.file, begun.run
    try:
        with file.step(retry_from=EsmaFile.State.DOWNLOADED), contextlib.ExitStack() as cleaning:
            staged = begun.staged.result()
            cleaning.callback(staged.remove)
            watcher.merging(file)
            try:
                return Loaded(file, merge_staged(file, staged, run))
            except OperationalError as error:
                raise DatabaseRefused(f"{file.name}: {error}") from error
    except MarketDataError as error:
        run.outcome, run.problem = LoadRun.Outcome.FAILED, str(error)
        run.seconds = (timezone.now() - run.started_at).total_seconds()
        run.save()
        return Loaded(file, run, error)


def _give_back(begun: _Begun) -> None:
    """Undo a claim: the caller has stopped before the file's turn came."""
    if begun.staged.cancel() or begun.staged.exception() is None:
        (Path(settings.STAGING_DIR) / f"{begun.file.pk}.sqlite3").unlink(missing_ok=True)
    begun.file.enter(EsmaFile.State.DOWNLOADED)
    begun.run.outcome = LoadRun.Outcome.ABANDONED
    begun.run.save()
