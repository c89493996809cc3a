"""One published file of CSV, from zip to record batches, in bounded memory.

A file has a line of column names, as GLEIF's ISIN-LEI file: `LEI,ISIN`. It has no header of the publisher's.
"""

import datetime as dt
import zipfile
from collections.abc import Generator
from typing import IO

import numpy as np
import pyarrow as pa
from pyarrow import csv

from esma_files import archive
from esma_files.errors import BadArchive, BadCsv, EmptyFile, NotUtf8
from esma_files.names import FileName
from esma_files.parsing.mapping import Mapping
from esma_files.parsing.reader import Batch, Limits
from esma_files.parsing.repeats import Repeats

_BLOCK_BYTES = 1 << 20  # read at once; a line that is longer is refused


class _Counted:
    """A stream that counts the bytes that are read of it."""

    closed = False

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.bytes_read = 0

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.bytes_read += len(data)
        return data


class CsvReader:
    """Reads the records of one file; raises the errors of esma_files.errors.

    It has the attributes of EsmaReader, and its mapping names the columns. All columns are text, and an empty
    value is None. No element is unmapped, and none is repeated.
    """

    def __init__(
        self,
        source: IO[bytes],
        *,
        name: str,
        mapping: Mapping,
        limits: Limits,
        dataset: str = "",
        sets_repeats_aside: bool = False,
    ) -> None:
        self._source = source
        self._file_name = name
        self._kind = FileName.parse(name).kind
        self._mapping = mapping
        self._limits = limits
        self.records = 0
        self.created_at: dt.datetime | None = None
        self.unmapped: dict[str, int] = {}
        self.repeats: Repeats = {}
        self._size = self._size_before = 0
        self._stream: _Counted | None = None

    @property
    def share_read(self) -> float:
        """The share of the file that has been read, from 0 to 1."""
        within = self._stream.bytes_read if self._stream else 0
        return min(1.0, (self._size_before + within) / self._size) if self._size else 0.0

    def __iter__(self) -> Generator[Batch, None, None]:
        with archive.opened(
            self._source,
            file_name=self._file_name,
            max_bytes=self._limits.max_bytes,
            ending=self._kind.ending,
        ) as opened:
            entries = archive.entries_of(opened)
            self._size = sum(entry.file_size for entry in entries)
            for entry in entries:
                archive.check_ratio(
                    entry, file_name=self._file_name, max_ratio=self._limits.max_ratio
                )
                yield from self._read_entry(opened, entry)
                self._size_before += entry.file_size
                self._stream = None
        if self.records == 0 and self._kind.is_full:
            raise EmptyFile(self._file_name, "there is not one record in it")

    def _read_entry(
        self, opened: archive.Archive, entry: zipfile.ZipInfo
    ) -> Generator[Batch, None, None]:
        [kind] = self._mapping.records
        try:
            with opened.open(entry) as source:
                self._stream = _Counted(source)
                for rows in self._rows(self._stream):
                    positions = np.arange(self.records, self.records + len(rows), dtype=np.int64)
                    yield Batch(kind, "", rows, positions, np.zeros(len(rows), dtype=bool))
                    self.records += len(rows)
        except pa.ArrowInvalid as error:
            if "UTF8" in str(error):
                raise NotUtf8(self._file_name, f"not UTF-8 ({error})") from error
            problem = f"{error} (after record {self.records:,} or a later one)"
            raise BadCsv(self._file_name, problem) from error
        except archive.DAMAGE as error:
            raise BadArchive(self._file_name, f"the zip is damaged ({error})") from error

    def _rows(self, stream: _Counted) -> Generator[pa.RecordBatch, None, None]:
        columns = list(self._mapping.leaves)
        reader = csv.open_csv(
            pa.PythonFile(stream, mode="r"),
            read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
        with reader:
            if sorted(reader.schema.names) != sorted(columns):
                names = ", ".join(reader.schema.names[:10])
                expected = ", ".join(columns)
                raise BadCsv(self._file_name, f"its columns are {names!r}, expected {expected!r}")
            for rows in reader:
                if len(rows):
                    yield rows.select(columns)
