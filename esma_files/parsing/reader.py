"""One ESMA file, from zip to record batches, in constant memory."""

import dataclasses
import zipfile
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import IO

import numpy as np
import pyarrow as pa
import xml2arrow

from esma_files import archive
from esma_files.errors import BadArchive, BadXml, EmptyFile, UnsafeArchive
from esma_files.names import FileName
from esma_files.parsing import envelope, unmapped
from esma_files.parsing.mapping import Mapping, parser
from esma_files.parsing.pipe import piped
from esma_files.parsing.sections import Section, sections
from esma_files.parsing.stream import WatchedStream
from esma_files.parsing.tally import Tally

BATCH_ROWS = 16_384
# Small files may well compress better than the ratio that is taken for a bomb.
_RATIO_COUNTS_FROM = 10_000_000
# </root></Document></Pyld></BizData>
_CLOSING_TAGS = 4


@dataclasses.dataclass(frozen=True)
class Limits:
    """What an archive may unpack to: bytes, and bytes for each byte of the zip; records a section."""

    max_bytes: int
    max_ratio: int
    section_records: int | None = None  # None: all of an XML is one section


@dataclasses.dataclass(frozen=True)
class Batch:
    """Records of one kind (`group` is ""), or rows of one group of records of that kind.

    `rows` has a text column for each leaf path of the mapping. `positions[i]` is the record that row
    i belongs to: 0 is the first record of the file. `begins[i]`: whether row i of a group is
    the first of an element at the group's path.
    """

    kind: str
    group: str
    rows: pa.RecordBatch
    positions: np.ndarray
    begins: np.ndarray


def together(batches: list[Batch]) -> Batch:
    """Batches of records of one kind as one."""
    if len(batches) == 1:
        return batches[0]
    return dataclasses.replace(
        batches[0],
        rows=pa.concat_batches([batch.rows for batch in batches]),
        positions=np.concatenate([batch.positions for batch in batches]),
        begins=np.concatenate([batch.begins for batch in batches]),
    )


class EsmaReader:
    """Reads one file's records; the errors of esma_files.errors say what is wrong with it.

    At once, or in `sections`. Afterwards, `records` is how many there were and `unmapped` which elements
    no mapping is there for, with their count; `recounted` is how many XML entries had to be looked
    through for these.
    """

    def __init__(
        self,
        source: IO[bytes],
        *,
        name: str,
        mapping: Mapping,
        limits: Limits,
        foreign: dict[str, str] | None = None,
    ) -> None:
        self._source = source
        self._file_name = name
        self._name = FileName.parse(name)
        self._promised = self._mapping = mapping
        self._limits = limits
        self._foreign = foreign or {}  # senders whose files are of another dataset, and which
        self.records = 0
        self.cuts = True
        self.at_end = False
        self._size = self._before = 0
        self._stream: WatchedStream | None = None
        self.recounted = 0
        self.unmapped: dict[str, int] = {}

    def __iter__(self) -> Generator[Batch, None, None]:
        with closing(self.sections()) as sections_:
            for section in sections_:
                yield from section

    def sections(self) -> Generator[Iterator[Batch], None, None]:
        """The batches, section by section; each has to be read to its end before the next.

        All that belongs to the records of a section is in it. `at_end` after the last one, which may
        have no records. Who sets `cuts` to False gets all the rest as one.
        """
        with closing(self._read()) as batches:
            while not self.at_end:
                yield self._until_cut(batches)

    def _until_cut(self, batches: Iterator[Batch | None]) -> Iterator[Batch]:
        for batch in batches:
            if batch is None:
                return
            yield batch
        self.at_end = True

    def _read(self) -> Generator[Batch | None, None, None]:
        """All batches, None where a section ends and another follows."""
        limit = self._limits.max_bytes
        with archive.opened(self._source, file_name=self._file_name, max_bytes=limit) as opened:
            entries = archive.xml_entries(opened)
            self._size = sum(entry.file_size for entry in entries)
            for entry in entries:
                self._check_ratio(entry.file_size, entry.compress_size)
                with self._entry(opened, entry) as xml:
                    all_caught = yield from self._records_of(xml)
                if not all_caught:
                    self.recounted += 1
                    with self._entry(opened, entry) as xml:
                        found = unmapped.find(xml, self._mapping, file_name=self._file_name)
                    self.unmapped = dict(Counter(self.unmapped) + Counter(found))
                self._before += entry.file_size
                self._stream = None
        if self.records == 0:
            raise EmptyFile(self._file_name, "not one record in it")

    @property
    def share_read(self) -> float:
        """How much of the file has been read, from 0 to 1."""
        within = self._stream.bytes_read if self._stream else 0
        return min(1.0, (self._before + within) / self._size) if self._size else 0.0

    @contextmanager
    def _entry(self, opened: archive.Archive, entry: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
        try:
            xml = opened.open(entry)
        except archive.DAMAGE as error:
            raise BadArchive(self._file_name, f"the zip is damaged ({error})") from error
        with xml:
            yield xml

    def _check_ratio(self, size: int, compressed: int) -> None:
        ratio = size / max(compressed, 1)
        if size > _RATIO_COUNTS_FROM and ratio > self._limits.max_ratio:
            reason = f"unpacks to {ratio:,.0f} times its size, more than ARCHIVE_MAX_RATIO"
            raise UnsafeArchive(self._file_name, f"{reason}={self._limits.max_ratio}")

    def _records_of(self, xml: IO[bytes]) -> Generator[Batch | None, None, bool]:
        """The batches of one XML, None where it is cut; returns whether they hold every element."""
        self._stream = stream = WatchedStream(xml, file_name=self._file_name)
        header = envelope.read(stream.head, file_name=self._file_name, mapping=self._promised)
        envelope.check(header, name=self._name, file_name=self._file_name, mapping=self._promised)
        envelope.check_sender(header, file_name=self._file_name, foreign=self._foreign)
        self._mapping = self._promised.of_version(header.definition)
        tally, limit = Tally(self._mapping), self._limits.section_records
        for section in sections(stream, header, records=limit, go_on=lambda: self.cuts):
            yield from self._records_in(section, stream, tally)
            if section.is_cut:
                yield None
        if header.records_begin is None:
            return False
        before = stream.head[: header.records_begin]
        tags = before.count(b"<") + 2 * tally.elements + _CLOSING_TAGS
        attributes = before.count(b'="') + before.count(b"='") + tally.attributes
        return (stream.tags, stream.attributes) == (tags, attributes)

    def _records_in(self, section: Section, stream: WatchedStream, tally: Tally) -> Iterator[Batch]:
        first = self.records
        for table, rows in self._batches(section, stream):
            positions = rows.column(0).to_numpy().astype(np.int64) + first
            if table == "records":
                yield from self._by_kind(rows, positions, tally)
            else:
                kind, _, name = table.partition("|")
                group = next(group for group in self._mapping.groups if group.name == name)
                leaves = rows.select(range(2, rows.num_columns))
                begins = rows.column(1).to_numpy() == 0
                tally.add_group(group.path, leaves, positions, begins)
                yield Batch(kind, name, leaves, positions, begins)

    def _batches(
        self, section: Section, stream: WatchedStream
    ) -> Iterator[tuple[str, pa.RecordBatch]]:
        """xml2arrow's batches, its errors turned into ours."""
        try:
            with piped(section) as path:
                batches = parser(self._mapping).parse_batches(path, max_rows_per_batch=BATCH_ROWS)
                try:
                    for batch in batches:  # noqa: UP028  # `yield from` would hold on to it
                        yield batch
                finally:
                    del batches  # ends the parser's thread, and with it the reading of the pipe
        except Exception as error:
            if stream.problem is not None:
                raise stream.problem from error
            if isinstance(error, xml2arrow.exceptions.Xml2ArrowError):
                reason = f"{error} (after record {self.records:,} or a later one)"
                raise BadXml(self._file_name, reason) from error
            raise

    def _by_kind(
        self, rows: pa.RecordBatch, positions: np.ndarray, tally: Tally
    ) -> Iterator[Batch]:
        width = len(self._mapping.leaves)
        taken = 0
        for number, kind in enumerate(self._mapping.records):
            columns = rows.select(range(1 + number * width, 1 + (number + 1) * width))
            present = _any_valid(columns)
            count = int(present.sum())
            if not count:
                continue
            taken += count
            of_kind = columns if count == len(rows) else columns.filter(pa.array(present))
            of_kind = pa.RecordBatch.from_arrays(of_kind.columns, names=list(self._mapping.leaves))
            where = positions[present]
            tally.add_records(kind, of_kind, where)
            yield Batch(kind, "", of_kind, where, np.zeros(count, dtype=bool))
        if taken != len(rows):
            first = int(positions[0]) + 1
            reason = (
                f"an element among records {first:,} to {first + len(rows):,} holds two records"
            )
            raise BadXml(self._file_name, reason)
        self.records += len(rows)


def _any_valid(batch: pa.RecordBatch) -> np.ndarray:
    """Which rows have a value in any column."""
    present = np.zeros(len(batch), dtype=bool)
    for column in batch.columns:
        if column.null_count < len(batch):
            present |= column.is_valid().to_numpy(zero_copy_only=False)
    return present
