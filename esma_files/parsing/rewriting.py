"""Documents rewritten on their way to the parser, so that it takes what it could not take otherwise.

An address has up to three lines of one name. The parser takes one element of a name, so the second is renamed
to end with `2`, and so on. And empty elements around what is not kept are left out, and counted.
"""

import re
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from esma_files.parsing import markup
from esma_files.parsing.markup import Tags

# A tag up to the end of its name: a slash, a prefix, the local name.
_BEGIN = rb"<(/?)(?:[^\s/>:]*:)?(%s)(?=[\s/>])"


class TaggedStream(Protocol):
    def read_tags(self) -> Tags | None: ...


class Rewritten:
    """A readable stream of `stream`, whose pieces begin with a tag and end before another one.

    Elements in `numbered` that follow each other are numbered from the second. Empty elements in `optional`
    are left out; `left_out` is their number.
    """

    def __init__(
        self, stream: TaggedStream, *, numbered: tuple[str, ...], optional: tuple[str, ...]
    ) -> None:
        self._stream = stream
        self._tag = re.compile(_BEGIN % _any_of(numbered))
        self._names = [name.encode() for name in numbered]
        self._optional = [name.encode() for name in optional]
        self._empty = re.compile(rb"<(?:[^\s/>:]*:)?(?:%s)\s*/>" % _any_of(optional))
        # At the end of a piece: the element whose end tag was the last tag, and one that is still open,
        # each with its number.
        self._ended: tuple[bytes, int] | None = None
        self._open: tuple[bytes, int] | None = None
        self.left_out = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next piece, b"" at the end."""
        while (tags := self._stream.read_tags()) is not None:
            if rewritten := self._rewritten(tags):
                return rewritten
        return b""

    def _rewritten(self, tags: Tags) -> bytes:
        piece, left_out = tags.piece, self._find_empty(tags)
        self.left_out += len(left_out)
        # Places of the piece, and what is written there instead.
        edits = [(int(tags.opens[n]), int(tags.closes[n]) + 1, b"") for n in left_out]
        if len(left_out) < len(tags):
            numbers = self._number_tags(tags, left_out)
            edits += [(place, place, b"%d" % number) for place, number in numbers.items()]
        kept, at = [], 0
        for begin, end, text in sorted(edits):
            kept += [piece[at:begin], text]
            at = end
        return b"".join((*kept, piece[at:])) if kept else piece

    def _find_empty(self, tags: Tags) -> list[int]:
        """Return the numbers of the tags that are left out."""
        empty = np.flatnonzero(tags.is_empty)
        if not len(empty):
            return []
        return [
            number
            for number in empty[markup.may_end_with(tags, empty, *self._optional)].tolist()
            if self._empty.match(tags.piece, int(tags.opens[number]))
        ]

    def _is_blank(self, text: bytes) -> bool:
        """Tell whether a text, and tags that are left out, hold white space only."""
        return not text.strip() or not self._empty.sub(b"", text).strip()

    def _number_tags(self, tags: Tags, left_out: list[int]) -> dict[int, int]:
        """Return the numbers to be written in the tags that are kept, by the places where names end."""
        piece, is_left_out = tags.piece, set(left_out)
        first = next(n for n in range(len(tags)) if n not in is_left_out)
        last = next(n for n in reversed(range(len(tags))) if n not in is_left_out)
        numbers: dict[int, int] = {}
        self._continue(piece, int(tags.opens[first]), numbers)
        for name, end, start in self._find_pairs(tags, left_out):
            if self._open:
                break
            self._number(piece, start, name, numbers.get(end, 1) + 1, numbers)
        self._ended = None
        tag = self._tag.match(piece, int(tags.opens[last]))
        if tag and tag[1] and self._is_blank(piece[tags.closes[last] + 1 :]):
            self._ended = (tag[2], numbers.get(tag.end(), 1))
        return numbers

    def _continue(self, piece: bytes, begin: int, numbers: dict[int, int]) -> None:
        """Number what follows from the piece before: an element that is open, or the next one of its name.

        The first tag that is kept begins at `begin`.
        """
        if self._open:
            self._close(piece, 0, *self._open, numbers)
        elif self._ended and self._is_blank(piece[:begin]):
            name, number = self._ended
            tag = self._tag.match(piece, begin)
            if tag and not tag[1] and tag[2] == name:
                self._number(piece, tag.end(), name, number + 1, numbers)

    def _find_pairs(self, tags: Tags, left_out: list[int]) -> Iterator[tuple[bytes, int, int]]:
        """Find an end tag of a name, and behind it a start tag of the same: most elements are alone.

        Yields for each such pair its name, and where the name ends in its end tag and in its start tag.
        """
        piece = tags.piece
        ends = np.flatnonzero(tags.is_end[:-1] & ~tags.is_end[1:])
        ends = ends[markup.may_end_with(tags, ends, *self._names)]
        starts = ends + 1
        while left_out and (skipped := np.isin(starts, left_out)).any():
            starts[skipped] += 1
        ends, starts = ends[starts < len(tags)], starts[starts < len(tags)]
        may = markup.may_end_with(tags, starts, *self._names)
        ends, starts = ends[may], starts[may]
        for number, following in zip(ends.tolist(), starts.tolist(), strict=True):
            end = self._tag.match(piece, int(tags.opens[number]))
            start = self._tag.match(piece, int(tags.opens[following]))
            if not (end and start and end[2] == start[2]) or start[1]:
                continue
            if self._is_blank(piece[tags.closes[number] + 1 : start.start()]):
                yield end[2], end.end(), start.end()

    def _number(
        self, piece: bytes, place: int, name: bytes, number: int, numbers: dict[int, int]
    ) -> None:
        """Number an element whose name in its start tag ends at a place."""
        numbers[place] = number
        is_empty = piece.endswith(b"/", place, piece.find(b">", place))  # it has no end tag
        if not is_empty:
            self._close(piece, place, name, number, numbers)

    def _close(
        self, piece: bytes, at: int, name: bytes, number: int, numbers: dict[int, int]
    ) -> None:
        """Number the end tag of an open element, behind `at`; if it is in a later piece, note the element."""
        self._open = (name, number)
        place = at
        while (place := piece.find(name, place)) >= 0:
            tag = self._tag.match(piece, max(piece.rfind(b"<", 0, place), 0))
            if tag and tag[1] and tag[2] == name and tag.end() > place:
                self._open = None
                numbers[tag.end()] = number
                return
            place += 1


def _any_of(names: tuple[str, ...]) -> bytes:
    return "|".join(map(re.escape, names)).encode()
