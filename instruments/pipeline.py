"""What is done with files, one step at a time: by a command, a worker or a button."""

import concurrent.futures
import contextlib
import dataclasses
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from django.db import connection

from esma_files import retention, runs, store
from esma_files.models import EsmaFile, Run
from instruments.listings.load import search_index
from instruments.loading import merge_staged, remove_staged, stage_file, wanted_of
from instruments.staging.staging import Staged
from instruments.staging.wal import WriteAheadLog
from marketdata.common.errors import MarketDataError

# Files staged at a time (a file that is known already is all staging and no merge), and files staged
# or being staged while one is merged: letters differ in size, so one is not enough.
_STAGERS, _AHEAD = 2, 3
# How often a run notes how far it is, and how much of a load reading is.
_NOTE_SECONDS, _READING_IS = 2.0, 0.7


class Watcher(Protocol):
    """Told how far a load is; the default below does nothing."""

    def reading(self, file: EsmaFile, records: int, share: float) -> None: ...
    def merging(self, file: EsmaFile, share: float) -> None: ...
    def tidying(self) -> None: ...


class _Nobody:
    def reading(self, file: EsmaFile, records: int, share: float) -> None:
        pass

    def merging(self, file: EsmaFile, share: float) -> None:
        pass

    def tidying(self) -> None:
        pass


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What came of one file: its run, or the error that ended it, or neither where it was skipped."""

    file: EsmaFile
    run: Run | None = None
    error: MarketDataError | None = None


def _raise(problem: MarketDataError) -> None:
    raise problem


def register_files(
    paths: Iterable[Path],
    *,
    dataset: str = "",
    on_problem: Callable[[MarketDataError], None] = _raise,
) -> list[EsmaFile]:
    """Register and store the files at `paths`, or in them; returns their rows, each once.

    In publication order. `on_problem` is told what cannot be taken in; the others are.
    """
    files: dict[int, EsmaFile] = {}
    for path in paths:
        try:
            for found in store.files_in(path):
                file = store.store_file(found, dataset=dataset)
                files[file.pk] = file
        except MarketDataError as problem:
            on_problem(problem)
    # Of one day the order is free; the small ones first keep the merge from waiting for a large one
    # (Johnson's rule for two machines in a row).
    return sorted(files.values(), key=lambda file: (file.sequence, file.size, file.pk))


def load(
    files: Iterable[EsmaFile],
    *,
    again: bool = True,
    run: Run | None = None,
    watcher: Watcher | None = None,
) -> Iterator[Loaded]:
    """Load stored files in the order given; yields what came of each.

    While one file is merged the next ones are staged already, in other threads. Files that are loaded
    are read again unless `again` is false; what another worker is busy with is left to it. `run` is
    the one that asked for a single file.

    Files whose merge was interrupted are finished first, whether they are in `files` or not.
    """
    watcher = watcher or _Nobody()
    runs.release_abandoned()
    interrupted = list(EsmaFile.objects.interrupted())
    with (
        concurrent.futures.ThreadPoolExecutor(_STAGERS, initializer=_give_way) as stager,
        WriteAheadLog(connection).kept_short() as log,
    ):
        begun: list[_Begun] = []
        try:
            for file in _interrupted_first(interrupted, files):
                archived = again and file.state == EsmaFile.State.ARCHIVED
                if archived and (error := _bring_back(file, run)):
                    yield Loaded(file, run, error)
                    continue
                if not _claim(file, again=again):
                    _say_nothing_done(file, run)
                    yield Loaded(file, run)
                    continue
                own_run = run if run and run.file_id == file.pk else None
                begun.append(_begin(file, own_run, stager, watcher))
                if len(begun) > _AHEAD:
                    yield _finish(begun.pop(0), log)
            while begun:
                yield _finish(begun.pop(0), log)
            watcher.tidying()
            search_index.tidy(connection)
        finally:
            for left in begun:
                _give_back(left)


def _interrupted_first(
    interrupted: list[EsmaFile], files: Iterable[EsmaFile]
) -> Iterator[EsmaFile]:
    yield from interrupted
    keys = {file.pk for file in interrupted}
    yield from (file for file in files if file.pk not in keys)


def _give_way() -> None:
    """Stagers run ahead: let the merge, which all wait for in the end, have a core when it wants one."""
    if sys.platform == "linux":  # where a thread has a priority of its own
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + 10)


class _Reading:
    """How far the reading of a file is: told by the stager's thread, noted by the main one."""

    def __init__(self, file: EsmaFile, watcher: Watcher) -> None:
        self._file, self._watcher = file, watcher
        self.records, self.share = 0, 0.0

    def __call__(self, records: int, share: float) -> None:
        self.records, self.share = records, share
        self._watcher.reading(self._file, records, share)


@dataclasses.dataclass
class _Begun:
    """A file that this process has claimed and is staging."""

    file: EsmaFile
    run: Run
    reading: _Reading
    staging: "concurrent.futures.Future[Staged]"
    watcher: Watcher
    merged: float = 0.0  # the share of the file

    def staged(self) -> Staged:
        """Wait for the staging file, noting the progress. Raises what has ended the staging."""
        while not concurrent.futures.wait([self.staging], timeout=_NOTE_SECONDS).done:
            self._note()
        return self.staging.result()

    def note_merged(self, share: float) -> None:
        self.merged = share
        self.watcher.merging(self.file, share)
        self._note()

    def _note(self) -> None:
        share = _READING_IS * self.reading.share + (1 - _READING_IS) * self.merged
        self.run.note(share=share, done=self.reading.records, unit="records")

    def discard(self) -> None:
        """Leave nothing staged; what is being staged cannot be stopped."""
        if not self.staging.cancel():
            concurrent.futures.wait([self.staging])
        remove_staged(self.file)


def _claim(file: EsmaFile, *, again: bool) -> bool:
    """Take the file; False where it is not to be loaded, or another worker has it."""
    state = EsmaFile.State
    stored = EsmaFile.objects.stored()
    sources = [state.DOWNLOADED, state.FAILED, *([state.LOADED] if again else [])]
    claimed = any(stored.claim(file.pk, from_state=s, to_state=state.LOADING) for s in sources)
    file.refresh_from_db()
    return claimed


def _bring_back(file: EsmaFile, run: Run | None) -> MarketDataError | None:
    """Take a file out of the Archive tier; returns why that failed."""
    try:
        retention.set_tier(file, EsmaFile.Tier.HOT)
    except MarketDataError as error:
        if run is not None:
            run.end(state=Run.State.FAILED, problem=str(error))
        return error
    return None


def _say_nothing_done(file: EsmaFile, run: Run | None) -> None:
    if run is not None:
        run.report = [f"{file.name} is {file.state}: there was nothing to load"]
        run.end()


def _begin(
    file: EsmaFile, run: Run | None, stager: concurrent.futures.Executor, watcher: Watcher
) -> _Begun:
    run = run or Run.begin(Run.Kind.LOAD, file=file)
    reading = _Reading(file, watcher)
    staging = stager.submit(stage_file, file, wanted=wanted_of(file), progress=reading)
    return _Begun(file, run, reading, staging, watcher)


def _finish(begun: _Begun, log: WriteAheadLog) -> Loaded:
    """Wait until a file is staged, and merge it."""
    file, run = begun.file, begun.run

    def merging(share: float) -> None:
        begun.note_merged(share)
        log.merged()

    try:
        with file.step(retry_from=EsmaFile.State.DOWNLOADED), contextlib.ExitStack() as cleaning:
            cleaning.callback(begun.discard)
            staged = begun.staged()
            begun.note_merged(0)
            merge_staged(file, staged, run, committed=merging)
            log.merged()
            return Loaded(file, run)
    except MarketDataError as error:
        run.refresh_from_db()  # what was undone does not count
        run.end(state=Run.State.FAILED, problem=str(error))
        return Loaded(file, run, error)


def _give_back(begun: _Begun) -> None:
    """Undo a claim: the caller has stopped before the file's turn came."""
    begun.discard()
    begun.file.enter(EsmaFile.State.DOWNLOADED)
    begun.run.end(state=Run.State.ABANDONED)
