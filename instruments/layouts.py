"""The layout of a file's records, and the tables of its results, as the table of kinds names them.

Also the staging of a stored file that was loaded before, to look some of its records up again.
"""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from django.conf import settings
from django.db.backends.utils import CursorWrapper
from django.utils.module_loading import import_string

from esma_files.errors import UnsupportedKind
from esma_files.kinds import FileKind
from esma_files.models import EsmaFile
from esma_files.names import FileName
from esma_files.parsing.reader import Limits
from instruments.listings.load.merge import Counts
from instruments.published_results.merge import ResultTable
from instruments.staging.layout import Layout, Selection
from instruments.staging.staging import Staged, Staging

# Merges the staging file attached as `stage`; is given the columns that have a value in any record.
Merge = Callable[[CursorWrapper, EsmaFile, frozenset[str]], Counts]


def layout_of(name: str) -> Layout:
    """Return the layout of the file of this name. Raises UnsupportedKind."""
    kind = FileName.parse(name).kind
    if not kind.can_be_loaded:
        raise UnsupportedKind(name, f"files of the kind {kind} are listed, and cannot be loaded")
    return cast(Layout, import_string(kind.layout))


def stage_again(file: EsmaFile, folder: Path, selection: Selection) -> Staged:
    """Stage the selected records of a stored file in a folder. Raises errors of reading and of storage."""
    staging = Staging(
        name=file.name,
        dataset=file.dataset,
        folder=folder,
        layout=layout_of(file.name),
        limits=Limits(settings.ARCHIVE_MAX_BYTES, settings.ARCHIVE_MAX_RATIO),
        selection=selection,
    )
    with file.open() as source:
        return staging.stage(source)


def merge_of(kind: FileKind) -> Merge:
    """Return the function that merges the records of a kind of file that are neither listings nor results."""
    return cast(Merge, import_string(kind.merge))


def result_tables(kind: FileKind) -> tuple[ResultTable, ...]:
    """Return the tables that the published results of a kind of file go into."""
    return cast(tuple[ResultTable, ...], import_string(kind.result_tables))
