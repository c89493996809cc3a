"""Find the positions of results that were left to another file when the file that published them changed.

The bitmaps of publications tell which file that is, but not where the result is in it: so the file is read
again. A result of a file that is not stored any more keeps the position 0.
"""

import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from esma_files.models import EsmaFile
from instruments.layouts import stage_again
from instruments.published_results.merge import ResultTable
from instruments.staging.layout import Selection
from marketdata.common.errors import MarketDataError

logger = logging.getLogger(__name__)

_RESULT = (
    "SELECT min(position) FROM result WHERE {owner} = ? AND result_key = ? AND fingerprint = ?"
)


def fill_positions(tables: Iterable[ResultTable], folder: Path) -> None:
    """Set the positions that are not known, from the stored files; `folder` is for their staging files."""
    for table in tables:
        rows = table.model._default_manager.filter(source_position=0)
        files = rows.order_by().values_list("source_file", flat=True).distinct()
        for file in EsmaFile.objects.filter(pk__in=list(files)):
            try:
                _fill_from(file, table, folder / f"positions-{file.pk}")
            except MarketDataError as error:  # it cannot be read any more
                logger.warning("The positions of results in it stay unknown: %s", error)


def _fill_from(file: EsmaFile, table: ResultTable, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = table.model._default_manager.filter(source_position=0, source_file=file)
    lookup = _RESULT.format(owner=table.owner)
    try:
        staged = stage_again(file, folder, Selection())
        with contextlib.closing(sqlite3.connect(staged.path)) as connection:
            for pk, *key in list(rows.values_list("pk", table.owner, "result_key", "fingerprint")):
                ((position,),) = connection.execute(lookup, key)
                if position is not None:
                    rows.filter(pk=pk).update(source_position=position)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
