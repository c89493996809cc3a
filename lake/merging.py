"""Rows of changed keys are put into the files of their slice: the database is not asked for the others."""

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake import location
from lake.files import DataFile, split
from lake.tables import LakeTable

# The rows of one partition of a slice as they are to be, and the file that has them as they were.
Merged = tuple[str, pa.Table, DataFile | None]


def merge(
    table: LakeTable, files: Iterable[DataFile], keys: Sequence[str], rows: pa.Table
) -> Iterator[Merged]:
    """Yield the partitions of a slice in which the rows of some keys are others than before.

    `files` are those of the slice, one for each partition, and `rows` all that the keys have now, in order.
    """
    files_of = {file.partition: file for file in files}
    rows_of = dict(split(table, rows))
    changed = pa.array(keys, pa.string())
    for partition in sorted({*files_of, *rows_of}):
        file, added = files_of.get(partition), rows_of.get(partition)
        if file is None:
            yield partition, added, None
            continue
        is_changed = pc.is_in(_read(table, file, [table.key_column]).column(0), changed)
        if added is None and not pc.any(is_changed).as_py():
            continue
        before = _read(table, file)
        if added is not None and before.filter(is_changed).equals(added):
            continue
        kept = before.filter(pc.invert(is_changed))
        yield partition, kept if added is None else _sort(table, kept, added), file


def _read(table: LakeTable, file: DataFile, columns: list[str] | None = None) -> pa.Table:
    source = location.read_file(f"{table.name}/{file.get_path(table)}")
    rows = pq.ParquetFile(source).read(columns)
    return rows if columns else rows.cast(table.schema)


def _sort(table: LakeTable, kept: pa.Table, added: pa.Table) -> pa.Table:
    """Return the rows in the order of their key: the sort is stable, and no key is in both tables."""
    rows = pa.concat_tables([kept, added])
    return rows.take(pc.sort_indices(rows.column(table.key_column)))
