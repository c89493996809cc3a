"""Downloads of files, several at a time."""

import concurrent.futures
import contextvars
import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.db import transaction

from esma_files import runs, store, usage
from esma_files.errors import BudgetExceeded
from esma_files.fetch import Part, fetch
from esma_files.models import EsmaFile, Run
from esma_files.names import FileName
from marketdata.common.errors import MarketDataError, PermanentError

_NOTE_SECONDS = 2.0


class NoAddress(PermanentError):
    """No register has listed the file, so there is no address to fetch it from."""


class DownloadWatcher(Protocol):
    """Receives the progress of downloads, from several threads; the default below ignores it."""

    def fetching(self, file: EsmaFile, size: int, total: int) -> None: ...
    def done(self, file: EsmaFile) -> None: ...


class _NoWatcher:
    def fetching(self, file: EsmaFile, size: int, total: int) -> None:
        pass

    def done(self, file: EsmaFile) -> None:
        pass


@dataclasses.dataclass(frozen=True)
class Result:
    """The outcome of one file: its run, or the error that ended it, or neither where it was skipped."""

    file: EsmaFile
    run: Run | None = None
    error: MarketDataError | None = None


def download(
    files: Iterable[EsmaFile], *, run: Run | None = None, watcher: DownloadWatcher | None = None
) -> Iterator[Result]:
    """Fetch files and store them, several at a time; yields the outcome of each.

    `run` is the run that was requested for a single file. A file that is stored, or that another worker is
    fetching, is skipped: see `prepare_refetch`.
    """
    watcher = watcher or _NoWatcher()
    runs.release_abandoned()
    waiting = iter(files)
    begun: dict[concurrent.futures.Future[Part], _Fetching] = {}
    with concurrent.futures.ThreadPoolExecutor(settings.DOWNLOADS_AT_A_TIME) as pool:
        try:
            while True:
                while len(begun) < settings.DOWNLOADS_AT_A_TIME and (file := next(waiting, None)):
                    started = _begin(file, run)
                    if isinstance(started, Result):
                        yield started
                    else:
                        # Telemetry and log lines of the thread belong to the task that has begun it.
                        run_in_context = contextvars.copy_context().run
                        receiving = pool.submit(run_in_context, started.receive, watcher)
                        begun[receiving] = started
                if not begun:
                    return
                finished, _ = concurrent.futures.wait(
                    begun, _NOTE_SECONDS, concurrent.futures.FIRST_COMPLETED
                )
                for future in finished:
                    fetching = begun.pop(future)
                    watcher.done(fetching.file)
                    yield fetching.finish(future)
                for fetching in begun.values():
                    fetching.note()
        finally:
            for future, fetching in begun.items():
                fetching.stopped = True
                future.cancel()
            concurrent.futures.wait(begun)
            for future, fetching in begun.items():
                fetching.give_back(future)


def prepare_refetch(file: EsmaFile) -> EsmaFile:
    """Return the row to download for the newest bytes of a file that is stored.

    It is a row of its own: where the bytes are the same it is removed again, and where they
    differ it is the new revision.
    """
    if not file.has_content:
        return file
    known = EsmaFile.objects.filter(dataset=file.dataset, name=file.name, md5="").first()
    if known is not None:
        return known
    row = EsmaFile.from_name(FileName.parse(file.name), dataset=file.dataset)
    row.url, row.register_id, row.state = file.url, file.register_id, EsmaFile.State.LISTED
    with transaction.atomic():
        row.set_order()
        row.save()
    return row


class _Stopped(MarketDataError):
    """The caller has stopped before the file was complete; the received bytes stay for the next attempt."""


@dataclasses.dataclass
class _Fetching:
    """A file that this process has claimed and is fetching. Only `receive` runs in another thread."""

    file: EsmaFile
    run: Run
    received: int = 0
    total: int = 0
    stopped: bool = False

    def receive(self, watcher: DownloadWatcher) -> Part:
        def progress(size: int, total: int) -> None:
            if self.stopped:
                raise _Stopped(f"{self.file.name}: stopped")
            self.received, self.total = size, total
            watcher.fetching(self.file, size, total)

        file, path = self.file, Path(settings.DOWNLOAD_DIR) / f"{self.file.pk}.part"
        with store.writing(file.name):
            part = fetch(file.url, name=file.name, md5=file.md5, path=path, progress=progress)
            store.put(file, part.path, md5=part.md5, size=part.size)
            path.unlink(missing_ok=True)  # a folder takes the file itself, Blob Storage a copy
        return part

    def note(self) -> None:
        if self.received != self.run.done:
            share = min(self.received / self.total, 1.0) if self.total else 0.0
            self.run.note(share=share, done=self.received, unit="bytes")

    def finish(self, future: "concurrent.futures.Future[Part]") -> Result:
        try:
            with self.file.step(retry_from=EsmaFile.State.LISTED):
                part = future.result()
                self.file.md5 = part.md5
                self.file = store.save_stored(self.file)
            self.run.file, self.run.done, self.run.unit = self.file, part.size, "bytes"
            self.run.end()
        except MarketDataError as error:
            self.run.end(state=Run.State.FAILED, problem=str(error))
            return Result(self.file, self.run, error)
        return Result(self.file, self.run)

    def give_back(self, future: "concurrent.futures.Future[Part]") -> None:
        """Keep a file that is complete, and undo the claim of another: the caller has stopped."""
        if not future.cancelled() and future.exception() is None:
            self.finish(future)
            return
        self.file.enter(EsmaFile.State.LISTED)
        self.run.end(state=Run.State.ABANDONED)


def _begin(file: EsmaFile, run: Run | None) -> _Fetching | Result:
    """Claim a file and begin its run; return a Result where nothing is to be fetched."""
    error = _hindrance(file)
    if error is not None:
        if run is not None:
            run.end(state=Run.State.FAILED, problem=str(error))
        return Result(file, run, error)
    state = EsmaFile.State
    states = [state.LISTED, state.DELETED, *([] if file.has_content else [state.FAILED])]
    for state_before in states:
        if claimed := EsmaFile.objects.claim(
            file.pk, from_state=state_before, to_state=state.DOWNLOADING
        ):
            return _Fetching(claimed, run or Run.begin(Run.Kind.DOWNLOAD, file=claimed))
    file.refresh_from_db()
    if run is not None:
        run.report = [f"{file.name} is {file.state}, so there was nothing to download"]
        run.end()
    return Result(file, run)


def _hindrance(file: EsmaFile) -> MarketDataError | None:
    if not file.url:
        return NoAddress(
            f"{file.name}: no register lists it, so there is no address: upload the file, or run"
            " `manage.py sync_register` first"
        )
    used = usage.bytes_used()
    if used >= settings.STORAGE_BUDGET_BYTES:
        budget = f"STORAGE_BUDGET_BYTES={settings.STORAGE_BUDGET_BYTES:,}"
        return BudgetExceeded(
            f"{file.name}: {used:,} bytes are stored, and {budget}; delete files (in the admin,"
            " or by `manage.py clean_files`), or raise the budget"
        )
    return None
