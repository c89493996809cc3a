"""Documents rewritten on their way to the parser, so that it takes what it could not take otherwise.

An address has up to three lines of one name. The parser takes one element of a name, so the second is renamed
to end with `2`, and so on. And empty elements around what is not kept are left out, and counted.
"""

import re
from collections.abc import Iterator

from esma_files.parsing.pipe import Readable

# A tag up to the end of its name: a slash, a prefix, the local name.
_BEGIN = rb"<(/?)(?:[^\s/>:]*:)?(%s)(?=[\s/>])"


class Rewritten:
    """A readable stream of `stream`, whose pieces begin with a tag and end before another one.

    Elements in `numbered` that follow each other are numbered from the second. Empty elements in `optional`
    are left out; `left_out` is their number.
    """

    def __init__(
        self, stream: Readable, *, numbered: tuple[str, ...], optional: tuple[str, ...]
    ) -> None:
        self._stream = stream
        self._tag = re.compile(_BEGIN % _any_of(numbered))
        # An end tag of a name, and behind it a start tag of the same: most elements are alone, so only
        # these are looked for. A pattern that begins with a word is found much faster.
        names = [re.escape(name).encode() for name in numbered]
        self._pairs = [
            re.compile(rb"%s\s*>\s*<(?:[^\s/>:]*:)?%s(?=[\s/>])" % (name, name)) for name in names
        ]
        self._optional = [re.compile(re.escape(name).encode() + rb"\s*/>") for name in optional]
        self._empty = re.compile(rb"<(?:[^\s/>:]*:)?(?:%s)\s*/>" % _any_of(optional))
        # At the end of a piece: the element whose end tag was the last tag, and one that is still open,
        # each with its number.
        self._ended: tuple[bytes, int] | None = None
        self._open: tuple[bytes, int] | None = None
        self.left_out = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next piece, b"" at the end."""
        while piece := self._stream.read(size):
            if rewritten := self._with_numbers(self._without_empty(piece)):
                return rewritten
        return b""

    def _without_empty(self, piece: bytes) -> bytes:
        kept, at = [], 0
        places = sorted(match.start() for name in self._optional for match in name.finditer(piece))
        for place in places:
            tag = self._empty.match(piece, max(piece.rfind(b"<", 0, place), 0))
            if tag and tag.end() > place:  # a text may hold such a name too
                kept.append(piece[at : tag.start()])
                at = tag.end()
                self.left_out += 1
        return b"".join((*kept, piece[at:])) if kept else piece

    def _with_numbers(self, piece: bytes) -> bytes:
        begin = piece.find(b"<")
        if begin < 0:  # all its tags were left out
            return piece
        numbers: list[tuple[int, int]] = []  # where a name ends, and the number to write there
        ended = self._ended  # the element that ended last, by its name and number
        ended_at = -1  # where the name in its end tag ends; at -1 in an earlier piece
        if self._open:
            ended, ended_at = self._close(piece, 0, *self._open, numbers)
        elif ended and not piece[:begin].strip():
            first = self._tag.match(piece, begin)
            if first and not first[1] and first[2] == ended[0]:
                ended, ended_at = self._number(piece, first.end(), ended[0], ended[1] + 1, numbers)
        for name, place, start in self._find_pairs(piece):
            if self._open:
                break
            is_next = ended is not None and ended[0] == name and ended_at == place
            number = ended[1] + 1 if is_next and ended else 2
            ended, ended_at = self._number(piece, start, name, number, numbers)
        self._ended = None
        last = self._tag.match(piece, piece.rfind(b"<"))
        if last and last[1] and not piece[last.end() :].partition(b">")[2].strip():
            is_numbered = ended is not None and ended_at == last.end()
            self._ended = (last[2], ended[1] if is_numbered and ended else 1)
        kept, at = [], 0
        for place, number in sorted(numbers):
            kept += [piece[at:place], b"%d" % number]
            at = place
        return b"".join((*kept, piece[at:])) if kept else piece

    def _find_pairs(self, piece: bytes) -> Iterator[tuple[bytes, int, int]]:
        """Yield for each pair its name, and where the name ends in its end tag and in its start tag."""
        pairs = sorted(
            (match.start(), match.end()) for pair in self._pairs for match in pair.finditer(piece)
        )
        for place, start in pairs:
            end_tag = self._tag.match(piece, max(piece.rfind(b"<", 0, place), 0))
            if end_tag and end_tag[1] and end_tag.end() > place:  # a text may hold such a name too
                yield end_tag[2], end_tag.end(), start

    def _number(
        self, piece: bytes, place: int, name: bytes, number: int, numbers: list[tuple[int, int]]
    ) -> tuple[tuple[bytes, int] | None, int]:
        """Number an element whose name in its start tag ends at a place."""
        numbers.append((place, number))
        if piece.endswith(b"/", place, piece.find(b">", place)):  # empty: it has no end tag
            return None, -1
        return self._close(piece, place, name, number, numbers)

    def _close(
        self, piece: bytes, at: int, name: bytes, number: int, numbers: list[tuple[int, int]]
    ) -> tuple[tuple[bytes, int] | None, int]:
        """Number the end tag of an open element; return the element, and where the name in the tag ends."""
        place = at
        while (place := piece.find(name, place)) >= 0:
            tag = self._tag.match(piece, max(piece.rfind(b"<", 0, place), 0))
            if tag and tag[1] and tag[2] == name and tag.end() > place:
                self._open = None
                numbers.append((tag.end(), number))
                return (name, number), tag.end()
            place += 1
        self._open = (name, number)
        return None, -1


def _any_of(names: tuple[str, ...]) -> bytes:
    return "|".join(map(re.escape, names)).encode()
