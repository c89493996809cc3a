"""One long XML as several documents that are parsed one after another.

The parser returns the rows of a group (a basket, a commodity product) when it has many of them, or at the end
of a document: whether a record is complete is known only then. So there is an end after every so many
records.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator

from esma_files.parsing.envelope import Envelope
from esma_files.parsing.stream import CheckedStream

_NAME = re.compile(rb"<([\w.:-]+)")


def split(
    stream: CheckedStream, header: Envelope, *, records: int | None, may_cut: Callable[[], bool]
) -> Iterator["Section"]:
    """Yield documents of `records` records or some more each, or one with all records (None).

    Read each to its end before the next. Each has what stands before the first record of the file, and the
    end tags of that. `may_cut` is asked after each document; where it returns False, the rest is one
    document.
    """
    begin = header.records_begin
    first = None if begin is None else _NAME.match(stream.head, begin)
    if records is None or first is None or not header.closing:
        yield Section(stream)
        return
    cut = _Cut(records, end=b"</%b>" % first[1], closing=header.closing.encode())
    section = Section(stream, cut)
    yield section
    while section.is_cut:
        beginning = stream.head[:begin] + section.rest
        section = Section(stream, cut if may_cut() else None, beginning=beginning)
        yield section


@dataclasses.dataclass(frozen=True)
class _Cut:
    """The end of a document: the number of records, their end tag, and the text put after the last one."""

    records: int
    end: bytes
    closing: bytes


class Section:
    """A readable stream: all of `stream`, or the part before a cut."""

    def __init__(
        self, stream: CheckedStream, cut: _Cut | None = None, *, beginning: bytes = b""
    ) -> None:
        self._stream, self._cut, self._beginning = stream, cut, beginning
        self._records_left = cut.records if cut else 0
        self.is_cut = False
        self.rest = b""  # what has been read beyond the cut

    def read(self, size: int = -1) -> bytes:
        """Return a piece of the document, as large as those of the stream; b"" at its end."""
        if self.is_cut:
            return b""
        piece, self._beginning = self._beginning or self._stream.read(), b""
        if self._cut is None:
            return piece
        ends = piece.count(self._cut.end)
        if ends < self._records_left:
            self._records_left -= ends
            return piece
        at = 0
        for _ in range(self._records_left):
            at = piece.index(self._cut.end, at) + len(self._cut.end)
        self.is_cut, self.rest = True, piece[at:]
        return piece[:at] + self._cut.closing
