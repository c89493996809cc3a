"""The staging of one stored file in a scope: its zip is read into a staging file, in a folder of its own."""

import dataclasses
import shutil
import sqlite3
from pathlib import Path

import adbc_driver_manager as adbc
from django.conf import settings
from django.db import connection

from esma_files.models import EsmaFile
from esma_files.parsing.reader import Limits
from instruments.layouts import layout_of
from instruments.listings.load.selection import ListingSelection
from instruments.models import Register, Scope
from instruments.staging.layout import Selection
from instruments.staging.staging import Progress, Staged, Staging
from marketdata.common.errors import RetryableError


class StagingFailed(RetryableError):
    """The staging file cannot be written, because the disk is full for example. Nothing is lost."""


def _ignore_progress(records: int, share: float) -> None:
    pass


@dataclasses.dataclass(frozen=True)
class FileStaging:
    """The staging of one file.

    `database` is the SQLite file in which known records are looked up, "" on other databases. Uses no
    connection of Django's, so that it may run in a thread.
    """

    file: EsmaFile
    scope: Scope
    database: str
    progress: Progress = _ignore_progress

    @classmethod
    def of(
        cls, file: EsmaFile, scope: Scope, *, progress: Progress = _ignore_progress
    ) -> "FileStaging":
        """Return the staging of a file for the database of this process."""
        is_sqlite = connection.vendor == "sqlite"
        database = str(connection.settings_dict["NAME"]) if is_sqlite else ""
        return cls(file, scope, database, progress)

    @property
    def folder(self) -> Path:
        """The folder of the staging file."""
        return Path(settings.STAGING_DIR) / str(self.file.pk)

    @property
    def is_outside_scope(self) -> bool:
        """True if the file is of one category, and that is out of scope."""
        has_category = self.file.file_kind.has_scope and bool(self.file.category)
        return has_category and not self.scope.reads_category(self.file.category)

    def stage(self) -> Staged:
        """Read the stored zip into a staging file, without the records that the tables hold already.

        Raises the errors of esma_files.errors, and StagingFailed.
        """
        return self._stage(self._selection())

    def stage_with_known(self) -> Staged:
        """Read the stored zip into a staging file, with all records in scope. Raises as `stage`."""
        return self._stage(self._selection().with_known())

    def stage_nothing(self) -> Staged:
        """Write an empty staging file. Raises StagingFailed."""
        return self._stage(None)

    def _stage(self, selection: Selection | None) -> Staged:
        staging = Staging(
            name=self.file.name,
            dataset=self.file.dataset,
            folder=self.folder,
            layout=layout_of(self.file.name),
            limits=Limits(settings.ARCHIVE_MAX_BYTES, settings.ARCHIVE_MAX_RATIO),
            selection=selection or Selection(),
            progress=self.progress,
        )
        try:
            self.remove()  # what a killed process has left
            self.folder.mkdir(parents=True, exist_ok=True)
            if selection is None or self.is_outside_scope:
                return staging.stage_nothing()
            with self.file.open() as source:
                return staging.stage(source)
        except (adbc.Error, sqlite3.Error, OSError) as error:
            problem = f"{self.file.name}: cannot be staged in {self.folder} ({error})"
            raise StagingFailed(problem) from error

    def _selection(self) -> Selection:
        if not self.file.file_kind.holds_listings:
            return Selection()
        return ListingSelection(
            scope=self.scope,
            register=Register.of_dataset(self.file.dataset),
            file=self.file,
            database=self.database,
        )

    def remove(self) -> None:
        """Remove the staging file."""
        shutil.rmtree(self.folder, ignore_errors=True)
