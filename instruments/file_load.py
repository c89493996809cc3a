"""The load of one file: it is read and staged in a thread, and merged in the main one.

All that belongs to it is in its `FileLoad`, which every step is given.
"""

import concurrent.futures
import contextvars
import dataclasses
import datetime as dt
import time
from typing import Protocol

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from esma_files.models import EsmaFile, RejectedRecord, Run
from instruments import interrupted
from instruments.file_staging import FileStaging
from instruments.layouts import merge_of, result_tables
from instruments.listings.load import gate, late_revisions, merge, republished, scope
from instruments.listings.load.context import (
    BACKFILL,
    WHOLE,
    LoadedMeanwhile,
    Replacement,
    Slice,
    slices_of,
)
from instruments.models import (
    DataSubject,
    DataVersion,
    Reconciliation,
    Register,
    Scope,
    TableCount,
)
from instruments.published_results import merge as results_merge
from instruments.published_results import positions
from instruments.published_results.publications import ReplacedRevisions
from instruments.staging.attach import attached
from instruments.staging.staging import Staged
from instruments.staging.wal import WriteAheadLog
from marketdata.common import logs, telemetry
from marketdata.common.errors import MarketDataError
from marketdata.common.numbers import format_count

REJECTED = RejectedRecord._meta.db_table

# Seconds between two notes of a run's progress, and the share of reading in it.
_NOTE_SECONDS, _SHARE_OF_READING = 2.0, 0.7
_COUNTED = (
    "read",
    "outside",
    "rejected",
    *(field.name for field in dataclasses.fields(merge.Counts)),
)


class LoadProgress(Protocol):
    """Receives the progress of loads; shares are those of the file, from 0 to 1."""

    def reading(self, file: EsmaFile, records: int, share: float) -> None:
        """Called by the thread that reads the file."""

    def merging(self, file: EsmaFile, share: float) -> None: ...

    def optimizing_index(self) -> None:
        """Called when all files are loaded and the search index is optimized."""


@dataclasses.dataclass(frozen=True)
class LoadResult:
    """The outcome for one file: its run, and the error that ended it; without a run it was skipped."""

    file: EsmaFile
    run: Run | None = None
    error: MarketDataError | None = None


@dataclasses.dataclass
class FileLoad:
    """The load of one file that this process has claimed."""

    file: EsmaFile
    run: Run
    scope: Scope
    progress: LoadProgress
    records_read: int = 0
    share_read: float = 0.0
    share_merged: float = 0.0
    # What had been withdrawn before the staging began: see `_has_lost_known_records`.
    last_withdrawn: tuple[int, int] = (0, 0)
    reading: FileStaging = dataclasses.field(init=False)
    staging: "concurrent.futures.Future[Staged]" = dataclasses.field(init=False)

    @classmethod
    def begin(
        cls,
        file: EsmaFile,
        run: Run | None,
        threads: concurrent.futures.Executor,
        progress: LoadProgress,
    ) -> "FileLoad":
        """Begin a run unless the file has one already, and have the file staged by a thread."""
        has_scope = file.file_kind.has_scope
        file_load = cls(
            file,
            run or Run.begin(Run.Kind.LOAD, file=file),
            Scope.objects.current(Register.of_dataset(file.dataset)) if has_scope else Scope(),
            progress,
            last_withdrawn=republished.last_withdrawn(),
        )
        file_load.reading = FileStaging.of(file, file_load.scope, progress=file_load._note_reading)
        logs.run_id.set(file_load.run.pk)
        # With the context of this task: telemetry and log lines of the thread belong to it.
        in_context = contextvars.copy_context().run
        file_load.staging = threads.submit(in_context, file_load.reading.stage)
        return file_load

    @property
    def register(self) -> Register:
        return Register.of_dataset(self.file.dataset)

    def _note_reading(self, records: int, share: float) -> None:
        self.records_read, self.share_read = records, share
        self.progress.reading(self.file, records, share)

    # Merging, in the main thread

    def finish(self, log: WriteAheadLog) -> LoadResult:
        """Wait until the file is staged, and merge it."""
        logs.run_id.set(self.run.pk)  # another file's staging may have begun since
        try:
            with self.file.step(retry_from=EsmaFile.State.DOWNLOADED):
                try:
                    staged = self._wait_for_staged()
                    if staged.known and self._has_lost_known_records():
                        staged = self._stage_again()
                    self._note_merged(0)
                    self._merge(staged, log)
                except gate.Held as held:
                    return self._hold(held)
                finally:
                    self._discard()
            return LoadResult(self.file, self.run)
        except MarketDataError as error:
            interrupted.undo_failed(self.file)
            self.run.refresh_from_db()  # what was rolled back does not count
            if isinstance(error, LoadedMeanwhile) and self.run.came_by_queue:
                self.run.abandon(reason=str(error))
            else:
                self.run.end(state=Run.State.FAILED, problem=str(error))
            return LoadResult(self.file, self.run, error)
        except Exception:
            interrupted.undo_failed(self.file)
            raise

    def _hold(self, held: gate.Held) -> LoadResult:
        """Leave the file HELD: the load gate has rolled back its merge."""
        self.run.refresh_from_db()
        self.run.report = held.report
        self.run.end(state=Run.State.FAILED, problem=str(held))
        self.file.enter(EsmaFile.State.HELD, problem=str(held))
        return LoadResult(self.file, self.run, held)

    def give_back(self) -> None:
        """Undo the claim: the caller has stopped before the turn of this file came."""
        self._discard()
        self.file.enter(EsmaFile.State.DOWNLOADED)
        self.run.abandon(reason="The load was stopped before the turn of this file came")

    def _wait_for_staged(self) -> Staged:
        """Wait for the staging file, noting the progress. Raises the error that ended the staging."""
        while not concurrent.futures.wait([self.staging], timeout=_NOTE_SECONDS).done:
            self._note_progress()
        return self.staging.result()

    def _has_lost_known_records(self) -> bool:
        """Return whether records have been withdrawn since the staging began.

        Then records that were left out as known may not be in the tables any more.
        """
        return republished.last_withdrawn() != self.last_withdrawn

    def _stage_again(self) -> Staged:
        self.last_withdrawn = republished.last_withdrawn()
        return self.reading.stage()

    def _discard(self) -> None:
        """Remove the staging file; a staging that has begun cannot be stopped, and is waited for."""
        if not self.staging.cancel():
            concurrent.futures.wait([self.staging])
        self.reading.remove()

    def _note_merged(self, share: float) -> None:
        self.share_merged = share
        self.progress.merging(self.file, share)
        self._note_progress()

    def _note_progress(self) -> None:
        merging = (1 - _SHARE_OF_READING) * self.share_merged
        share = _SHARE_OF_READING * self.share_read + merging
        self.run.note(share=share, done=self.records_read, unit="records")

    def _merge(self, staged: Staged, log: WriteAheadLog) -> None:
        """Merge the staging file in slices, each with its part of the counts of the run.

        The rejected records and the file's state are written with the last slice. Leaves the file LOADED and
        the run DONE. If it fails after the first slice, the file is left marked as partly merged, and what
        was merged is taken out again (`instruments.interrupted`).
        """
        started, prepared_at, run = time.monotonic(), timezone.now(), self.run
        self.file.created_at = staged.created_at or self.file.created_at
        newer = None if self.file.file_kind.merge else republished.newer_revision(self.file)
        if newer is not None:
            self._end_as_replaced(staged, newer=newer)
            return
        run.read, run.unchanged, run.outside, run.rejected = staged.read, staged.known, 0, 0
        staged, replacement = self._prepare_replacement(staged)
        with attached(connection, self.file, staged) as cursor:
            *earlier, last = [WHOLE] if replacement else self._slices(cursor)
            for number, slice_ in enumerate(earlier, start=1):
                with transaction.atomic():
                    self._check_tables(staged, since=prepared_at)
                    self._mark_partly_merged()
                    self._add(self._merge_slice(cursor, staged, slice_))
                    run.save(update_fields=_COUNTED)
                self._note_merged(number / (len(earlier) + 1))
                log.merged()
            with transaction.atomic():
                self._check_tables(staged, since=prepared_at)
                settled = scope.settle(cursor, self.file)
                run.outside, run.rejected = settled.outside, settled.rejected
                counts = self._merge_slice(cursor, staged, last, replacement)
                self._add(gate.check(self.file, counts))
                self._keep_rejected(cursor)
                run.seconds = staged.seconds + time.monotonic() - started
                self._end(staged, is_missed=settled.missed, replacement=replacement)
        if isinstance(replacement, ReplacedRevisions):
            positions.fill_positions(result_tables(self.file.file_kind), self.reading.folder)
            self._renew_version()
        log.merged()
        telemetry.report_stage("staging", staged.seconds)
        telemetry.report_stage("merging", time.monotonic() - started)

    def _prepare_replacement(
        self, staged: Staged
    ) -> tuple[Staged, Replacement | ReplacedRevisions | None]:
        """Find what the older revisions of the file have left in the tables, to be replaced."""
        if self.file.file_kind.merge:
            return staged, None
        if self.file.file_kind.holds_listings:
            return republished.prepare(self.file, staged)
        older = list(EsmaFile.objects.other_revisions(self.file).exclude(loaded_at=None))
        if not older or staged.created_at is None:
            return staged, None
        return staged, ReplacedRevisions(older, staged.created_at.date())

    def _check_tables(self, staged: Staged, *, since: dt.datetime) -> None:
        """Raise LoadedMeanwhile if another process has loaded a file that this merge had to know of."""
        if not self.file.file_kind.merge:
            republished.check_revisions(self.file, since=since)
        if staged.known and self._has_lost_known_records():
            raise LoadedMeanwhile(f"{self.file.name}: records were withdrawn while it was read")

    def _end_as_replaced(self, staged: Staged, *, newer: EsmaFile) -> None:
        """End the load of a file whose newer revision is loaded.

        Its records only count for questions about what was known before the newer one was created.
        """
        run, file = self.run, self.file
        if staged.known:
            staged = self.reading.stage_with_known()
        with attached(connection, file, staged) as cursor, transaction.atomic():
            kept = self._keep_replaced(cursor, staged)
            self._renew_version()
            run.read = run.unchanged = run.done = staged.read
            run.outside = run.rejected = 0
            run.seconds = staged.seconds
            run.report = [late_revisions.describe(newer, kept)]
            run.end()
            file.loaded_at, file.is_partly_merged = timezone.now(), False
            file.scope_number = self.scope.number
            file.enter(EsmaFile.State.LOADED)

    def _keep_replaced(self, cursor: CursorWrapper, staged: Staged) -> int:
        """Keep the records of an older revision for questions about earlier days; return their number."""
        file = self.file
        if staged.created_at is None:  # not read
            return 0
        if file.file_kind.holds_listings:
            scope.settle(cursor, file)
            return late_revisions.keep(cursor, file)
        tables = result_tables(file.file_kind)
        return results_merge.keep_replaced(
            cursor, file, tables, register=self.register, columns=staged.columns
        )

    def _slices(self, cursor: CursorWrapper) -> list[Slice]:
        """A full set is compared as a whole, and a scope is settled for all of a file at once."""
        if self.file.file_kind.merged_in_slices and self.scope.is_everything:
            return slices_of(cursor, records=settings.MERGE_RECORDS)
        return [WHOLE]

    def _mark_partly_merged(self) -> None:
        if not self.file.is_partly_merged:
            self.file.is_partly_merged = True
            self.file.save(update_fields=["is_partly_merged"])

    def _merge_slice(
        self,
        cursor: CursorWrapper,
        staged: Staged,
        slice_: Slice,
        replacement: Replacement | ReplacedRevisions | None = None,
    ) -> merge.Counts:
        if not staged.read and not replacement:  # not read: so no listing is missing from it either
            return merge.Counts()
        self._renew_version()
        file, columns = self.file, staged.columns
        if file.file_kind.merge:
            return merge_of(file.file_kind)(cursor, file, columns)
        register = self.register
        if not isinstance(replacement, Replacement) and file.file_kind.result_tables:
            tables = result_tables(file.file_kind)
            return results_merge.merge(
                cursor, file, tables, register=register, columns=columns, replacement=replacement
            )
        replaced = replacement if isinstance(replacement, Replacement) else None
        return merge.merge(
            cursor, file, slice_, register=register, columns=columns, replacement=replaced
        )

    def _renew_version(self) -> None:
        """Give the data that this file belongs to a new version, in the transaction of the merge."""
        kind = self.file.file_kind
        subject = DataSubject.RESULTS if kind.result_tables else DataSubject.LISTINGS
        DataVersion.objects.renew(DataSubject.ENTITIES if kind.merge else subject)

    def _add(self, counts: merge.Counts) -> None:
        for name, count in dataclasses.asdict(counts).items():
            setattr(self.run, name, getattr(self.run, name) + count)

    def _keep_rejected(self, cursor: CursorWrapper) -> None:
        rejected = RejectedRecord.objects.filter(file=self.file)
        before = rejected.order_by().values("position").distinct().count()
        rejected.delete()
        columns = "position, isin, mic, field, value, reason, record"
        cursor.execute(
            f"INSERT INTO {REJECTED} (file_id, {columns}) SELECT {self.file.pk}, {columns} "
            "FROM stage.rejected ORDER BY position, field"
        )
        cursor.execute("SELECT count(DISTINCT position) FROM stage.rejected")
        TableCount.objects.add(RejectedRecord, int(cursor.fetchone()[0]) - before)

    def _end(
        self,
        staged: Staged,
        *,
        is_missed: bool,
        replacement: Replacement | ReplacedRevisions | None,
    ) -> None:
        """Close the run and the load of the file: all of it is merged."""
        file, run = self.file, self.run
        is_covered = scope.is_covered(file, self.scope)
        run.unmapped, run.done = staged.unmapped, run.read
        run.report = [
            *staged.remarks,
            *(replacement.remarks if replacement else []),
            *self._remarks(is_covered=is_covered, is_missed=is_missed),
        ]
        run.end()
        file.loaded_at, file.is_partly_merged = timezone.now(), False
        file.scope_number = None if is_missed else self.scope.number
        file.enter(EsmaFile.State.LOADED)

    def _remarks(self, *, is_covered: bool, is_missed: bool) -> list[str]:
        """Return remarks about drops and the scope; marks later files that must be reloaded."""
        file, run = self.file, self.run
        remarks = []
        if run.dropped:
            reconciliation = Reconciliation.objects.get(files__file=file)
            if run.dropped > reconciliation.listed:
                remarks.append(
                    f"The set that it completes holds"
                    f" {format_count(reconciliation.listed, 'listing')} and drops {run.dropped:,}: is it"
                    " whole?"
                )
        if self.reading.is_outside_scope:
            remarks.append(f"Category {file.category} is out of scope: the file was not read.")
        if is_missed:
            remarks.append(f"It was read beside an earlier file: {BACKFILL} loads it again.")
        has_changed = run.new + run.changed + run.ended + run.late
        if (not is_covered or has_changed) and (marked := scope.mark_later_files(file)):
            remarks.append(f"It came late: {BACKFILL} loads the later files ({marked}) again.")
        return remarks
