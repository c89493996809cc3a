"""The way of stored files into the tables: each is read and staged in a thread, and merged in the main one.

Commands, workers and pages all load files with `load`. While one file is merged, the next ones are staged.
"""

import concurrent.futures
import contextlib
import dataclasses
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path

from django.db import connection

from esma_files import retention, runs, store
from esma_files.models import EsmaFile, Run
from instruments.file_load import FileLoad, LoadProgress, LoadResult
from instruments.listings.load import search_index
from instruments.staging.wal import WriteAheadLog
from marketdata.common.errors import MarketDataError

# Threads that stage files (a file whose records are all known is all staging and no merge), and files that
# are staged or being staged while one is merged: categories differ in size, so one is not enough.
_STAGING_THREADS, _FILES_AHEAD = 2, 3
_WAIT_SECONDS = 0.2
# Of a thread. The staging of a file has up to four (reading, unpacking, parsing), of which each counts.
_LOWEST_PRIORITY = 19

__all__ = ["LoadProgress", "LoadResult", "load", "register_files"]


class _NoProgress:
    def reading(self, file: EsmaFile, records: int, share: float) -> None:
        pass

    def merging(self, file: EsmaFile, share: float) -> None:
        pass

    def optimizing_index(self) -> None:
        pass


def _raise(problem: MarketDataError) -> None:
    raise problem


def register_files(
    paths: Iterable[Path],
    *,
    dataset: str = "",
    excerpt: bool = False,
    on_problem: Callable[[MarketDataError], None] = _raise,
) -> list[EsmaFile]:
    """Store the files at `paths`, or in these folders; return their rows in publication order, each once.

    With `excerpt`, the files are known to hold only a part of what was published: they drop no listing.
    `on_problem` is called with the error of a path that cannot be registered; the others are.
    """
    files: dict[int, EsmaFile] = {}
    for path in paths:
        try:
            for file_path in store.files_in(path):
                file = store.store_file(file_path, dataset=dataset, excerpt=excerpt)
                files[file.pk] = file
        except MarketDataError as problem:
            on_problem(problem)
    # The order within a day is free; small files first keep the merge from waiting for a large one
    # (Johnson's rule for two machines in a row).
    return sorted(files.values(), key=lambda file: (file.sequence, file.size, file.pk))


def load(
    files: Iterable[EsmaFile],
    *,
    again: bool = True,
    run: Run | None = None,
    progress: LoadProgress | None = None,
) -> Generator[LoadResult, None, None]:
    """Load stored files in the order given; yield the result of each.

    Files that are loaded are reloaded unless `again` is false. Files that another worker is loading are left
    to it. `run` is the run that asked for a single file.

    Files whose merge was interrupted are finished first, whether they are in `files` or not.
    """
    progress = progress or _NoProgress()
    runs.release_abandoned()
    with (
        concurrent.futures.ThreadPoolExecutor(
            _STAGING_THREADS, initializer=_lower_priority
        ) as threads,
        WriteAheadLog(connection).kept_short() as log,
        _fewer_collections(),
    ):
        ahead: list[FileLoad] = []
        try:
            for asked in _interrupted_first(files, run, again=again):
                if result := _claim(asked.file, asked.run, again=asked.again):
                    yield result
                    continue
                ahead.append(FileLoad.begin(asked.file, asked.run, threads, progress))
                if len(ahead) > _FILES_AHEAD:
                    yield ahead.pop(0).finish(log)
            while ahead:
                yield ahead.pop(0).finish(log)
            progress.optimizing_index()
            search_index.tidy(connection)
        finally:
            for file_load in ahead:
                file_load.give_back()


@dataclasses.dataclass(frozen=True)
class _Request:
    """A file to be loaded, the run that asked for it, and whether it is reloaded if it is loaded already."""

    file: EsmaFile
    run: Run | None
    again: bool


def _interrupted_first(
    files: Iterable[EsmaFile], run: Run | None, *, again: bool
) -> Iterator[_Request]:
    """Yield the files to be loaded, first those whose merge was interrupted.

    An interrupted file that a queued run asks for is loaded for that run; one whose run another worker has
    begun is left to that worker.
    """
    finished = set()
    for file in EsmaFile.objects.interrupted():
        if run is not None and run.file_id == file.pk:
            finished.add(file.pk)
            yield _Request(file, run, again)
            continue
        waiting = Run.objects.open().of(Run.Kind.LOAD).filter(file=file).first()
        claimed = Run.objects.claim(waiting.pk) if waiting else None
        if waiting is None or claimed is not None:
            finished.add(file.pk)
            # Not again: another process may have finished it since it was looked up.
            yield _Request(file, claimed, again=claimed is not None)
    for file in files:
        if file.pk not in finished:
            yield _Request(file, run if run and run.file_id == file.pk else None, again)


@contextlib.contextmanager
def _fewer_collections() -> Iterator[None]:
    """Leave all objects that exist already out of garbage collection, for which every thread waits."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _lower_priority() -> None:
    """Let the merge, which all wait for in the end, have a core before the threads that stage."""
    if sys.platform == "linux":  # where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)


def _claim(file: EsmaFile, run: Run | None, *, again: bool) -> LoadResult | None:
    """Take the file for this process; return the result if it is not going to be loaded."""
    state = EsmaFile.State
    if again and file.state == state.ARCHIVED:
        try:
            retention.set_tier(file, EsmaFile.Tier.HOT)
        except MarketDataError as error:
            if run is not None:
                run.end(state=Run.State.FAILED, problem=str(error))
            return LoadResult(file, run, error)
    stored = EsmaFile.objects.stored()
    from_states = [state.DOWNLOADED, state.FAILED, *([state.LOADED] if again else [])]
    while not any(
        stored.claim(file.pk, from_state=from_state, to_state=state.LOADING)
        for from_state in from_states
    ):
        file.refresh_from_db()
        if not Run.objects.open().filter(kind=Run.Kind.UNDO, file=file).exists():
            break
        # Its interrupted load is being undone. Afterwards it can be loaded.
        time.sleep(_WAIT_SECONDS)
        runs.release_abandoned()
    else:
        file.refresh_from_db()
        return None
    if run is not None:
        run.report = [f"{file.name} is {file.state}: there was nothing to load."]
        run.end()
    return LoadResult(file, run)
