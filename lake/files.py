"""The Parquet files of a table: their names, contents and statistics."""

import dataclasses
import datetime as dt
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from lake.tables import NO_VALUE, LakeTable

_FIRST = "-"  # in the name of a slice that begins at the beginning
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


def make_files(
    table: LakeTable, start: str, rows: pa.Table, version: int
) -> Iterator[tuple[DataFile, bytes, str]]:
    """Yield the files of a slice, their bytes, and their statistics as Delta Lake writes them."""
    for partition, part in split(table, rows):
        yield make_file(table, start, partition, part, version)


def make_file(
    table: LakeTable, start: str, partition: str, part: pa.Table, version: int
) -> tuple[DataFile, bytes, str]:
    """Return the file of one partition of a slice, as `make_files` does."""
    part = part.combine_chunks()
    buffer = io.BytesIO()
    names = part.schema.names
    pq.write_table(
        part,
        buffer,
        compression="zstd",
        # Footers are read before anything else: with the comments of columns they were a tenth of the bytes.
        store_schema=False,
        write_statistics=[
            name for name in names if _has_statistics(table, part.schema.field(name))
        ],
        # Nearly each row has another value: a dictionary would be written, and given up.
        use_dictionary=[name for name in names if name not in _DIFFERENT],
    )
    content = buffer.getvalue()
    digest = xxhash.xxh3_128_hexdigest(content)
    file = DataFile(partition, start, digest, version, len(part), len(content))
    return file, content, _get_statistics(table, part)


def split(table: LakeTable, rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Yield the values of the partition that rows have, each with its rows.

    Without rows there is one value: a table has a file at least, from which engines know its columns.
    """
    if table.partition is None:
        yield "", rows
        return
    if not len(rows):
        yield NO_VALUE, rows
        return
    values = table.partition.get_values(rows)
    for value in sorted(pc.unique(values).to_pylist()):
        yield value, rows.filter(pc.equal(values, value))


def _get_statistics(table: LakeTable, rows: pa.Table) -> str:
    """Return the number of rows, and least and greatest values of the key and of dates.

    Engines skip files by them. Other columns have the same values in every file.
    """
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for field in rows.schema:
        if not _has_statistics(table, field):
            continue
        column = rows.column(field.name)
        nulls[field.name] = column.null_count
        if column.null_count < len(rows):
            both = pc.min_max(column)
            least[field.name] = _plain(both["min"].as_py())
            greatest[field.name] = _plain(both["max"].as_py())
    statistics = {"numRecords": len(rows), "minValues": least, "maxValues": greatest}
    return json.dumps({**statistics, "nullCount": nulls})


def _has_statistics(table: LakeTable, field: pa.Field) -> bool:
    return bool(field.name == table.key_column or pa.types.is_date(field.type))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else value


def now() -> int:
    """Return the time in milliseconds, as Delta Lake writes it."""
    return int(time.time() * 1000)
