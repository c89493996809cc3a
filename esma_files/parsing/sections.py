"""One long XML as several documents, parsed one after another.

The parser gives the rows of a group (a basket, a commodity product) when it has many of them, or at the
end: whether a record is complete is known only then. So there is an end after every so many records.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator

from esma_files.parsing.envelope import Envelope
from esma_files.parsing.stream import WatchedStream

_NAME = re.compile(rb"<([\w.:-]+)")


def sections(
    stream: WatchedStream, header: Envelope, *, records: int | None, go_on: Callable[[], bool]
) -> Iterator["Section"]:
    """The documents: of `records` records each or some more, or one of all (None); read each before the next.

    Each has what is before the first record in the file, and the end tags of that. A comment or CDATA may
    hold what looks like the end of a record: nothing is cut after one. An end that lies across two pieces
    of the stream is not counted. `go_on` is asked after each; where it says no, the rest is one document.
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
        begun = stream.head[:begin] + section.left
        section = Section(stream, cut if go_on() else None, begun=begun)
        yield section


@dataclasses.dataclass(frozen=True)
class _Cut:
    """After how many records, what a record ends with, and what is put after the last."""

    records: int
    end: bytes
    closing: bytes


class Section:
    """A readable stream: all of `stream`, or what is before a `cut`."""

    def __init__(
        self, stream: WatchedStream, cut: _Cut | None = None, *, begun: bytes = b""
    ) -> None:
        self._stream, self._cut, self._begun = stream, cut, begun
        self._to_come = cut.records if cut else 0
        self.is_cut = False
        self.left = b""  # what has been read beyond the cut

    def read(self, size: int = -1) -> bytes:
        """A piece of the document, as large as the stream's are; b"" at its end."""
        if self.is_cut:
            return b""
        piece, self._begun = self._begun or self._stream.read(), b""
        if self._cut is None:
            return piece
        ends = piece.count(self._cut.end)
        if ends < self._to_come or not self._stream.is_plain:
            self._to_come -= ends
            return piece
        at = 0
        for _ in range(self._to_come):
            at = piece.index(self._cut.end, at) + len(self._cut.end)
        self.is_cut, self.left = True, piece[at:]
        return piece[:at] + self._cut.closing
