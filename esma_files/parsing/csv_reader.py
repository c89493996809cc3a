"""One published file of CSV, from zip to record batches, in bounded memory.

A file has a line of column names, as GLEIF's ISIN-LEI file: `LEI,ISIN`. It has no header of the publisher's.
"""

import zipfile
from collections.abc import Generator
from typing import IO

import numpy as np
import pyarrow as pa
from pyarrow import csv

from esma_files import archive
from esma_files.errors import BadArchive, BadCsv, NotUtf8
from esma_files.parsing.mapping import Mapping
from esma_files.parsing.reader import Batch, FileReader, Limits

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


class CsvReader(FileReader):
    """Reads the records of one CSV file, whose columns the mapping names.

    All columns are text, and an empty value is None. No element is unmapped, and none is repeated.
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
        """`dataset` and `sets_repeats_aside` are ignored: a CSV file names no sender and repeats nothing."""
        super().__init__(source, name=name, mapping=mapping, limits=limits)

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
