"""Documents rewritten on their way to the parser, so that it takes what it could not take otherwise.

An address has up to three lines of one name. The parser takes one element of a name, so the second is renamed
to end with `2`, and so on. And empty elements around what is not kept are left out, and counted.
"""

import re
from collections.abc import Iterator

from esma_files.parsing.pipe import Readable

_BETWEEN = b"> \t\r\n"


class Rewritten:
    """A readable stream of `stream`, whose pieces end before a tag.

    Elements in `numbered` that follow each other are numbered from the second. Empty elements in `optional`
    are left out; `left_out` is their number.
    """

    def __init__(
        self, stream: Readable, *, numbered: tuple[str, ...], optional: tuple[str, ...]
    ) -> None:
        self._stream = stream
        # Names are looked for first, and then what is around them: most tags have others.
        self._names = [re.compile(re.escape(name).encode() + rb"(?=[\s/>])") for name in numbered]
        self._tag = re.compile(rb"<(/?)((?:[^\s/>:]*:)?(%s))(?=[\s/>])" % _any_of(numbered))
        self._optional = [re.compile(re.escape(name).encode() + rb"\s*/>") for name in optional]
        self._empty = re.compile(rb"<(?:[^\s/>:]*:)?(?:%s)\s*/>" % _any_of(optional))
        self._name, self._number = b"", 0
        self._follows = False  # since the last end tag there was nothing but space
        self.left_out = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next piece, b"" at the end."""
        while piece := self._stream.read(size):
            if rewritten := self._with_numbers(self._without_empty(piece)):
                return rewritten
        return b""

    def _without_empty(self, piece: bytes) -> bytes:
        kept, at = [], 0
        for tag in _tags(piece, self._optional, self._empty):
            kept.append(piece[at : tag.start()])
            at = tag.end()
            self.left_out += 1
        return b"".join((*kept, piece[at:])) if kept else piece

    def _with_numbers(self, piece: bytes) -> bytes:
        kept, at = [], 0
        for tag in _tags(piece, self._names, self._tag):
            between = piece[at : tag.start()]
            kept += [between, self._renamed(tag, between)]
            at = tag.end()
        rest = piece[at:]
        self._follows = self._follows and not rest.strip(_BETWEEN)
        return b"".join((*kept, rest)) if kept else piece

    def _renamed(self, tag: "re.Match[bytes]", between: bytes) -> bytes:
        is_end, name, local_name = tag.groups()
        if is_end:
            self._follows = True
        else:
            is_next = self._follows and not between.strip(_BETWEEN)
            self._number = self._number + 1 if is_next and local_name == self._name else 1
            self._name, self._follows = local_name, False
        number = b"" if self._number == 1 else b"%d" % self._number
        return b"<%s%s%s" % (is_end, name, number)


def _tags(
    piece: bytes, names: "list[re.Pattern[bytes]]", tag: "re.Pattern[bytes]"
) -> "Iterator[re.Match[bytes]]":
    """Yield the tags of a piece with one of these names, in order."""
    places = sorted(found_name.start() for name in names for found_name in name.finditer(piece))
    for place in places:
        match = tag.match(piece, max(piece.rfind(b"<", 0, place), 0))
        if match and match.end() > place:  # a text may hold such a name too
            yield match


def _any_of(names: tuple[str, ...]) -> bytes:
    return "|".join(map(re.escape, names)).encode()
