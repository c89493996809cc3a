"""One published file, from zip to record batches, in bounded memory."""

import abc
import contextlib
import dataclasses
import datetime as dt
import zipfile
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import IO, Protocol

import numpy as np
import pyarrow as pa
import xml2arrow

from esma_files import archive, unpacking
from esma_files.errors import BadArchive, BadXml, EmptyFile, RepeatedElement
from esma_files.names import FileName
from esma_files.parsing import envelope, markup, unmapped
from esma_files.parsing.mapping import Group, Mapping, parser
from esma_files.parsing.pipe import Readable, piped
from esma_files.parsing.repeats import Repeats, WithoutRepeats
from esma_files.parsing.rewriting import Rewritten
from esma_files.parsing.stream import CheckedStream
from esma_files.parsing.tally import Tally

# A batch has that many rows, or fewer of those that hold that many bytes of text.
BATCH_ROWS, _BATCH_BYTES = 16_384, 1 << 25
# The beginning of xml2arrow's error about an element that a record has twice.
_REPEATED = "Duplicate value for field"


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of what an archive may unpack to: bytes, and bytes for each byte of the zip."""

    max_bytes: int
    max_ratio: int


@dataclasses.dataclass(frozen=True)
class Batch:
    """Records of one kind (`group` is ""), or rows of one group of records of that kind.

    `rows` has a text column for each leaf path of the mapping. `positions[i]` is the record that row
    i belongs to: 0 is the first record of the file. `begins[i]` is true where row i of a group is
    the first of an element at the group's path.
    """

    kind: str
    group: str
    rows: pa.RecordBatch
    positions: np.ndarray
    begins: np.ndarray


def together(batches: list[Batch]) -> Batch:
    """Join batches of records of one kind."""
    if len(batches) == 1:
        return batches[0]
    return dataclasses.replace(
        batches[0],
        rows=pa.concat_batches([batch.rows for batch in batches]),
        positions=np.concatenate([batch.positions for batch in batches]),
        begins=np.concatenate([batch.begins for batch in batches]),
    )


class CountedStream(Protocol):
    """A stream that counts the bytes that were read of it."""

    @property
    def bytes_read(self) -> int: ...


class _UnknownRecord(Exception):
    """The record at `position`, counted from 1, is not of exactly one known kind."""

    def __init__(self, position: int) -> None:
        super().__init__()
        self.position = position


class FileReader(abc.ABC):
    """Reads the records of one file, entry by entry of its zip; raises the errors of esma_files.errors.

    Afterwards, `created_at` is the time in the publisher's header (UTC where it names no zone; None without a
    header), `records` is the number of records, and `unmapped` counts the elements that the mapping does not
    name. `repeats` are the elements that a record has twice, where these are set aside.
    """

    def __init__(self, source: IO[bytes], *, name: str, mapping: Mapping, limits: Limits) -> None:
        self._source = source
        self._file_name = name
        self._name = FileName.parse(name)
        self._mapping = mapping
        self._limits = limits
        self.records = 0
        self.created_at: dt.datetime | None = None
        self.unmapped: dict[str, int] = {}
        self.repeats: Repeats = {}
        self._size = self._size_before = 0
        self._stream: CountedStream | None = None

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
            ending=self._name.kind.ending,
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
        if self.records == 0 and self._name.kind.is_full:
            raise EmptyFile(self._file_name, "there is not one record in it")

    @abc.abstractmethod
    def _read_entry(
        self, opened: archive.Archive, entry: zipfile.ZipInfo
    ) -> Generator[Batch, None, None]:
        """Yield the batches of one entry, and set `_stream` while it is read."""


class EsmaReader(FileReader):
    """Reads the records of one XML file.

    `recounted` is the number of XML entries that had to be read a second time for `unmapped`.

    A record that has an element twice raises RepeatedElement, unless `sets_repeats_aside`. Then the record is
    returned with the first of these elements, and the others are in `repeats` by then. This is slower.
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
        """`dataset` is the one that the sender must belong to; "" accepts every sender."""
        super().__init__(source, name=name, mapping=mapping, limits=limits)
        self._expected = mapping
        self._dataset = dataset
        self._rewritten: Readable | None = None
        self.recounted = 0
        self._sets_repeats_aside = sets_repeats_aside

    def _read_entry(
        self, opened: archive.Archive, entry: zipfile.ZipInfo
    ) -> Generator[Batch, None, None]:
        try:
            with self._checked(opened, entry) as stream:
                self._stream = stream
                is_complete = yield from self._records_of(stream)
        except _UnknownRecord as unknown:
            with self._checked(opened, entry) as stream:
                reason = unmapped.describe_unknown_record(
                    stream, self._mapping, position=unknown.position
                )
            raise BadXml(self._file_name, reason) from None
        if not is_complete:
            self.recounted += 1
            with self._checked(opened, entry) as stream:
                counts = unmapped.count(self._rewriting(stream), self._mapping)
            self.unmapped = dict(Counter(self.unmapped) + Counter(counts))

    @contextmanager
    def _checked(self, opened: archive.Archive, entry: zipfile.ZipInfo) -> Iterator[CheckedStream]:
        with contextlib.ExitStack() as stack:
            try:
                xml = stack.enter_context(unpacking.opened_entry(opened, entry))
            except archive.DAMAGE as error:
                raise BadArchive(self._file_name, f"the zip is damaged ({error})") from error
            yield CheckedStream(xml, file_name=self._file_name, document=self._expected.document)

    def _records_of(self, stream: CheckedStream) -> Generator[Batch, None, bool]:
        """Yield the batches of one XML; returns whether they hold every element."""
        header = envelope.read(stream.head, file_name=self._file_name, mapping=self._expected)
        envelope.check(header, name=self._name, file_name=self._file_name, mapping=self._expected)
        if self._dataset:
            envelope.check_sender(
                header, name=self._name, file_name=self._file_name, dataset=self._dataset
            )
        self._mapping = self._expected.for_version(header.definition)
        self.created_at = header.created_at
        tally = Tally(self._mapping)
        yield from self._records_in(stream, tally)
        return self._is_complete(stream, header, tally)

    def _is_complete(self, stream: CheckedStream, header: envelope.Envelope, tally: Tally) -> bool:
        """Compare the tags and attributes of the file with those that the batches stand for."""
        if header.records_begin is None or stream.has_stray_text or tally.has_repeated_groups:
            return False
        before = markup.find_tags(stream.head[: header.records_begin])
        tags = len(before) + 2 * tally.elements + self._mapping.root_level
        if isinstance(self._rewritten, Rewritten):
            tags += self._rewritten.left_out
        of_head = envelope.namespaces(stream.head[: header.records_begin])
        attributes = before.attributes - of_head + tally.attributes
        return (stream.tags, stream.attributes - stream.namespaces) == (tags, attributes)

    def _records_in(self, stream: CheckedStream, tally: Tally) -> Iterator[Batch]:
        first = self.records
        with closing(self._batches(stream)) as batches:
            for table, rows in batches:
                positions = rows.column(0).to_numpy().astype(np.int64) + first
                if table == "records":
                    yield from self._by_kind(rows, positions, tally)
                else:
                    kind, _, name = table.partition("|")
                    group = next(group for group in self._mapping.groups if group.name == name)
                    leaves = rows.select(range(2, rows.num_columns))
                    begins = rows.column(1).to_numpy() == 0
                    tally.add_group(kind, group, leaves, positions, begins)
                    if name in self._mapping.unkept:
                        self._count_unkept(kind, group, leaves)
                    else:
                        yield Batch(kind, name, leaves, positions, begins)

    def _count_unkept(self, kind: str, group: Group, leaves: pa.RecordBatch) -> None:
        """Count the elements of a group that is not kept as unmapped."""
        path = f"{self._mapping.records[kind]}/{group.path}"
        for name, column in zip(leaves.schema.names, leaves.columns, strict=True):
            if count := len(column) - column.null_count:
                leaf = f"{path}/{name}"
                self.unmapped[leaf] = self.unmapped.get(leaf, 0) + count

    def _batches(self, stream: CheckedStream) -> Generator[tuple[str, pa.RecordBatch], None, None]:
        """Yield xml2arrow's batches, with its errors turned into ours."""
        try:
            with piped(self._document(stream)) as path:
                batches = parser(self._mapping).parse_batches(
                    path, max_rows_per_batch=BATCH_ROWS, max_bytes_per_batch=_BATCH_BYTES
                )
                try:
                    for batch in batches:  # noqa: UP028  # `yield from` would hold on to it
                        yield batch
                finally:
                    del batches  # ends the parser's thread, and with it the reading of the pipe
        except Exception as error:
            if stream.problem is not None:
                raise stream.problem from error
            if isinstance(error, xml2arrow.exceptions.Xml2ArrowError):
                if str(error).startswith(_REPEATED):
                    raise RepeatedElement(self._file_name, str(error)) from error
                reason = f"{error} (after record {self.records:,} or a later one)"
                raise BadXml(self._file_name, reason) from error
            raise

    def _document(self, stream: CheckedStream) -> Readable:
        document = self._rewritten = self._rewriting(stream)
        if not self._sets_repeats_aside:
            return document
        return WithoutRepeats(document, self._mapping, position=self.records, repeats=self.repeats)

    def _rewriting(self, stream: CheckedStream) -> Readable:
        numbered, optional = self._mapping.numbered, self._mapping.optional
        if not (numbered and optional):
            return stream
        return Rewritten(stream, numbered=numbered, optional=optional)

    def _by_kind(
        self, rows: pa.RecordBatch, positions: np.ndarray, tally: Tally
    ) -> Iterator[Batch]:
        width = len(self._mapping.leaves)
        known = np.zeros(len(rows), dtype=np.int64)
        batches = []
        for number, kind in enumerate(self._mapping.records):
            columns = rows.select(range(1 + number * width, 1 + (number + 1) * width))
            present = _has_value(columns)
            count = int(present.sum())
            if not count:
                continue
            known += present
            of_kind = columns if count == len(rows) else columns.filter(pa.array(present))
            of_kind = pa.RecordBatch.from_arrays(of_kind.columns, names=list(self._mapping.leaves))
            no_begins = np.zeros(count, dtype=bool)
            batches.append(Batch(kind, "", of_kind, positions[present], no_begins))
        if (unknown := np.flatnonzero(known != 1)).size:
            raise _UnknownRecord(int(positions[unknown[0]]) + 1)
        for batch in batches:
            tally.add_records(batch.kind, batch.rows, batch.positions)
            yield batch
        self.records += len(rows)


def _has_value(batch: pa.RecordBatch) -> np.ndarray:
    """Tell for each row whether any column has a value."""
    present = np.zeros(len(batch), dtype=bool)
    for column in batch.columns:
        if column.null_count < len(batch):
            present |= column.is_valid().to_numpy(zero_copy_only=False)
    return present
