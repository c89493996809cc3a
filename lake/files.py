"""The Parquet files of a table: their names, contents and statistics."""

import dataclasses
import datetime as dt
import io
import json
import operator
import time
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from lake.tables import NO_VALUE, LakeTable

_FIRST = "-"  # in the name of a slice that begins at the beginning
# Rows that wait for others to make row groups with them. They are what takes most memory.
_WAITING = 100_000
_DIFFERENT = ("isin", "instrument_isin", "full_name", "source_position")


@dataclasses.dataclass(frozen=True)
class DataFile:
    """A file of a table: the rows of one slice that have one value of the partition.

    `start` is the key at which the slice begins. Two files with the same `identity` have the same bytes.
    """

    partition: str
    start: str
    digest: str
    version: int
    rows: int = 0
    size: int = 0

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.partition, self.start, self.digest

    def get_path(self, table: LakeTable) -> str:
        """Return the name below the folder of the table."""
        name = f"{_encode(self.start)}.{self.digest}.{self.version}.parquet"
        return f"{table.partition.name}={self.partition}/{name}" if table.partition else name

    @classmethod
    def from_path(cls, path: str, *, rows: int, size: int) -> "DataFile":
        folder, _, name = path.rpartition("/")
        start, digest, version, _ = name.rsplit(".", 3)
        partition = folder.rpartition("=")[2]
        return cls(partition, _decode(start), digest, int(version), rows, size)


def _encode(key: str) -> str:
    """Return a key as a part of a name, which has letters and digits alone."""
    if not key:
        return _FIRST
    return key if key.isascii() and key.isalnum() else f"_{key.encode().hex()}"


def _decode(name: str) -> str:
    if name.startswith("_"):
        return bytes.fromhex(name[1:]).decode()
    return "" if name == _FIRST else name


Made = tuple[DataFile, bytes, str]


def make_files(
    table: LakeTable,
    start: str,
    batches: Iterable[pa.Table],
    version: int,
    *,
    most_waiting: int = _WAITING,
) -> Iterator[Made]:
    """Yield the files of a slice, their bytes, and their statistics as Delta Lake writes them.

    There is one for each value of the partition. When more than `most_waiting` rows wait, those of the file
    that has most of them are written as a row group.
    """
    files: dict[str, _ParquetFile] = {}
    for rows in batches:
        for partition, part in split(table, rows):
            if partition not in files:
                files[partition] = _ParquetFile(table)
            files[partition].add(part)
        while sum(file.waiting for file in files.values()) > most_waiting:
            max(files.values(), key=operator.attrgetter("waiting")).write()
    if not files:  # a table has a file at least, from which engines know its columns
        files["" if table.partition is None else NO_VALUE] = _ParquetFile(table)
    for partition, file in sorted(files.items()):
        content, statistics = file.close()
        digest = xxhash.xxh3_128_hexdigest(content)
        size = len(content)
        yield (
            DataFile(partition, start, digest, version, file.rows, size),
            content,
            statistics,
        )


def split(table: LakeTable, rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Yield the values of the partition that rows have, each with its rows."""
    if not len(rows):
        return
    if table.partition is None:
        yield "", rows
        return
    values = table.partition.get_values(rows)
    for value in sorted(pc.unique(values).to_pylist()):
        yield value, rows.filter(pc.equal(values, value))


class _ParquetFile:
    """A Parquet file, to which row groups are written one after another. `waiting` is a number of rows."""

    def __init__(self, table: LakeTable) -> None:
        schema = table.file_schema
        self._buffer = io.BytesIO()
        self._parts: list[pa.Table] = []
        self._writer = pq.ParquetWriter(
            self._buffer,
            schema,
            compression="zstd",
            # Footers are read before anything else: comments of columns were a tenth of the bytes.
            store_schema=False,
            write_statistics=[field.name for field in schema if _has_statistics(table, field)],
            # Nearly each row has another value: a dictionary would be written, and given up.
            use_dictionary=[name for name in schema.names if name not in _DIFFERENT],
        )
        self.rows = self.waiting = 0

    def add(self, part: pa.Table) -> None:
        """Add rows to those that wait."""
        self._parts.append(part)
        self.rows += len(part)
        self.waiting += len(part)

    def write(self) -> None:
        """Write the rows that wait as a row group."""
        rows = pa.concat_tables(self._parts).combine_chunks()
        self._writer.write_table(rows, row_group_size=len(rows))
        self._parts, self.waiting = [], 0

    def close(self) -> tuple[bytes, str]:
        """Write the rest. Return the bytes, and the statistics."""
        if self.waiting:
            self.write()
        self._writer.close()
        return self._buffer.getvalue(), _get_statistics(pq.read_metadata(self._buffer))


def _get_statistics(metadata: pq.FileMetaData) -> str:
    """Return the number of rows, and least and greatest values of the key and of dates, which the file has.

    Engines skip files by them. Other columns have the same values in every file.
    """
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            if (statistics := column.statistics) is None:
                continue
            name = column.path_in_schema
            nulls[name] = nulls.get(name, 0) + statistics.null_count
            if statistics.has_min_max:
                low, high = _plain(statistics.min), _plain(statistics.max)
                least[name] = min(least.get(name, low), low)
                greatest[name] = max(greatest.get(name, high), high)
    content = {"numRecords": metadata.num_rows, "minValues": least, "maxValues": greatest}
    return json.dumps({**content, "nullCount": nulls})


def _has_statistics(table: LakeTable, field: pa.Field) -> bool:
    return bool(field.name == table.key_column or pa.types.is_date(field.type))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else value


def now() -> int:
    """Return the time in milliseconds, as Delta Lake writes it."""
    return int(time.time() * 1000)
