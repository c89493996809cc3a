"""The layout of a file's records, and the tables of its results, as the table of kinds names them."""

from typing import cast

from django.utils.module_loading import import_string

from esma_files.errors import UnsupportedKind
from esma_files.kinds import FileKind
from esma_files.names import FileName
from instruments.published_results.merge import ResultTable
from instruments.staging.layout import Layout


def layout_of(name: str) -> Layout:
    """Return the layout of the file of this name. Raises UnsupportedKind."""
    kind = FileName.parse(name).kind
    if not kind.can_be_loaded:
        raise UnsupportedKind(name, f"files of the kind {kind} are listed, and cannot be loaded")
    return cast(Layout, import_string(kind.layout))


def result_tables(kind: FileKind) -> tuple[ResultTable, ...]:
    """Return the tables that the published results of a kind of file go into."""
    return cast(tuple[ResultTable, ...], import_string(kind.result_tables))
