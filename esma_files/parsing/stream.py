"""The bytes of one XML entry, checked on their way to the parser.

The parser does not notice a file that is cut between records, a second root element, stray text, characters
that XML forbids and other encodings, and it holds any value in memory. These are dealt with here, on bytes:
XML 1.0, sections 2.1 and 2.2. It checks names and nesting of elements itself.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import IO

import numpy as np

from esma_files.archive import DAMAGE
from esma_files.errors import (
    BadArchive,
    BadXml,
    EmptyFile,
    FileProblem,
    NotUtf8,
    TruncatedFile,
)
from esma_files.parsing import markup
from esma_files.parsing.cleaning import Cleaner
from esma_files.parsing.markup import IllFormed, Tags

CHUNK = 1 << 19
# A text that is longer is shortened: the first bytes, the length and the SHA-256 of all. What is left is
# longer than any field may be (1,000 characters), so the record is rejected, and its value stays small.
LONGEST_TEXT, EXCERPT = 10_000, 2_000
_ENCODING = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([^"']*)["']""")
_REFERENCE = re.compile(rb"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,8}));")
_NONCHARACTERS = "\ufffe\uffff"
_CUT_REFERENCE = re.compile(rb"&[^;]{0,9}\Z")
_HOLD_ONE = ("Pyld", "Document")


class CheckedStream:
    """A readable stream of elements and text; raises FileProblem where the XML is not as it should be.

    `head` is its first piece. `tags` and `attributes` count those that have been read, `namespaces` the
    declarations of namespaces among the attributes, `bytes_read` the bytes of the entry. `has_stray_text`
    once text has been met beside elements, where no field can be.
    """

    def __init__(
        self,
        source: IO[bytes],
        *,
        file_name: str,
        document: tuple[str, ...] = ("BizData", "Pyld", "Document"),
    ) -> None:
        """`document` are the elements around the root of the message, from the outermost."""
        self._source = source
        self._file_name = file_name
        self._outermost, self._root_level = document[0], len(document) + 1
        self._cleaner = Cleaner(file_name)
        self._path: list[
            tuple[str, int]
        ] = []  # open elements around the records, and their children
        self._offset = 0  # of the next piece in the cleaned XML
        self._level = 0
        self._is_over = False  # the root element has been closed
        self._after_start = self._has_text = False  # of the last tag: a start tag, text behind it
        self.tags = 0
        self.attributes = 0
        self.namespaces = 0
        self.has_stray_text = False
        self.problem: FileProblem | None = None
        self._pieces = self._read_pieces()
        self._next = next(self._pieces, None)
        self.head = b"" if self._next is None else self._next.piece
        self._buffer = memoryview(b"")

    @property
    def bytes_read(self) -> int:
        return self._cleaner.bytes_read

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, b"" at the end. Without a size, a piece that ends before a tag."""
        if not self._buffer:
            tags = self.read_tags()
            self._buffer = memoryview(b"" if tags is None else tags.piece)
        taken = self._buffer if size < 0 else self._buffer[:size]
        self._buffer = self._buffer[len(taken) :]
        return bytes(taken)

    def read_tags(self) -> Tags | None:
        """Return the next piece, with its tags; None at the end."""
        if self._next is None:
            return next(self._pieces, None)
        tags, self._next = self._next, None
        return tags

    def _read_pieces(self) -> Iterator[Tags]:
        """Yield the document in pieces that begin with a tag and end where another one begins.

        A problem is kept too: the parser that reads from here may wrap it or lose it.
        """
        try:
            chunk = self._read_chunk()
            self._check_encoding(chunk)
            carried = b""
            while chunk:
                data = carried + self._cleaner.clean(chunk)
                cut = max(data.rfind(b"<"), 0)
                if cut:
                    yield self._checked(data[:cut])
                carried = data[cut:]
                if len(carried) > 2 * LONGEST_TEXT:
                    carried = self._shorten_until_tag(carried)
                chunk = self._read_chunk()
            if last := carried + self._cleaner.clean(b"", is_last=True):
                yield self._checked(last)
            self._check_end()
        except FileProblem as problem:
            self.problem = problem
            raise

    def _read_chunk(self) -> bytes:
        try:
            return self._source.read(CHUNK)
        except DAMAGE as error:
            reason = f"the zip is damaged after {self.bytes_read:,} bytes of XML ({error})"
            raise BadArchive(self._file_name, reason) from error

    def _check_encoding(self, chunk: bytes) -> None:
        if not chunk.strip():
            raise EmptyFile(self._file_name, "there is nothing in its XML")
        declared = _ENCODING.match(chunk.removeprefix(b"\xef\xbb\xbf"))
        if declared and declared[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
            encoding = declared[1].decode("ascii", "replace")
            raise NotUtf8(self._file_name, f"the XML is declared as {encoding}, not UTF-8")

    def _check_end(self) -> None:
        if not self._is_over:
            reason = (
                f"cut off after {self.bytes_read:,} bytes: </{self._outermost}> is missing at the end"
                if self._level
                else "the file is not XML: it holds no element"
            )
            problem = TruncatedFile if self._level else BadXml
            raise problem(self._file_name, reason)

    def _checked(self, piece: bytes) -> Tags:
        """Check a piece and count its tags; returns those of the piece with long texts shortened."""
        length = len(piece)
        try:
            tags = markup.find_tags(piece)
            if tags.has_open_quote:
                piece = markup.escape_quoted(piece)
                tags = markup.find_tags(piece)
                if tags.has_open_quote:
                    raise IllFormed(0, "an attribute value is not closed")
            self._check_text(piece)
            self._follow(tags)
            short = self._with_short_texts(tags)
            if short is not piece:
                tags = markup.find_tags(short)
        except IllFormed as error:
            place = self._place(error.place)
            reason = f"not well-formed XML at about byte {place:,}: {error.problem}"
            raise BadXml(self._file_name, reason) from None
        self._offset += length
        return tags

    def _place(self, offset: int) -> int:
        """Return the place in the file of a byte of the current piece; inexact near comments."""
        return self._offset + self._cleaner.bytes_removed + offset

    def _check_text(self, piece: bytes) -> None:
        """Look for forbidden characters. Searching for one byte is much faster than for several."""
        if b"#" in piece and b"&#" in piece:
            for reference in _REFERENCE.finditer(piece):
                code = int(reference[1], 16) if reference[1] else int(reference[2])
                if not _is_character(code):
                    problem = f"{reference[0].decode()} is not a character of XML"
                    raise IllFormed(reference.start(), problem)
        if b"\xef" in piece:
            for character in _NONCHARACTERS:
                if (place := piece.find(character.encode())) >= 0:
                    problem = f"the character U+{ord(character):04X} is not allowed in XML"
                    raise IllFormed(place, problem)
        if b"]" in piece and (place := piece.find(b"]]>")) >= 0:
            raise IllFormed(place, "`]]>` in a text")

    def _follow(self, tags: Tags) -> None:
        """Follow levels, the elements around the records, and text that is in no leaf."""
        if not len(tags):
            if tags.piece.strip():
                raise IllFormed(0, "text outside the root element")
            return
        levels = tags.levels(self._level)
        lowest = int(levels.min())
        if self._is_over or lowest <= 0:
            first = 0 if self._is_over else int(np.argmax(levels <= 0)) + 1
            if first < len(tags):
                name = tags.name(first)
                problem = f"<{name}> after the end of the root element"
                raise IllFormed(int(tags.opens[first]), problem)
        if lowest <= self._root_level:
            self._follow_outline(tags, levels)
        self._follow_text(tags, levels)
        self._level = int(levels[-1])
        self._is_over = lowest <= 0
        self.tags += len(tags)
        self.attributes += tags.attributes
        self.namespaces += _namespaces(tags)

    def _follow_outline(self, tags: Tags, levels: np.ndarray) -> None:
        """Raise BadXml where a file holds more than one message."""
        own_level = levels + (tags.is_end | tags.is_empty)
        for number in np.flatnonzero(own_level <= self._root_level).tolist():
            if tags.is_end[number]:
                self._path = self._path[: int(levels[number])]
                continue
            name = tags.name(number)
            if self._path:
                parent, children = self._path[-1]
                if parent in _HOLD_ONE and children:
                    place = self._place(int(tags.opens[number]))
                    reason = f"a second element in {parent}, <{name}> at about byte {place:,}"
                    raise BadXml(self._file_name, f"{reason}: a file holds one message")
                self._path[-1] = (parent, children + 1)
            if not tags.is_empty[number]:
                self._path.append((name, 0))

    def _follow_text(self, tags: Tags, levels: np.ndarray) -> None:
        piece, starts, ends = tags.piece, tags.closes + 1, tags.ends
        is_start = ~(tags.is_end | tags.is_empty)
        before = piece[: tags.opens[0]]
        if before.strip():
            raise IllFormed(0, "text outside the root element")
        if self._has_text and not (self._after_start and tags.is_end[0]):
            self.has_stray_text = True
        in_leaf = is_start & np.append(tags.is_end[1:], True)
        beside = np.flatnonzero((ends > starts) & ~in_leaf)
        if len(beside):
            beside = beside[~markup.is_blank(tags, starts[beside], ends[beside])]
        if len(beside):
            self.has_stray_text = True
            if (levels[beside] <= 0).any():
                raise IllFormed(int(starts[beside[-1]]), "text outside the root element")
        self._after_start = bool(is_start[-1])
        self._has_text = self._after_start and bool(piece[int(starts[-1]) :].strip())

    def _with_short_texts(self, tags: Tags) -> bytes:
        piece = tags.piece
        if not len(tags) or (tags.ends - tags.opens).max() <= LONGEST_TEXT:
            return piece
        starts, ends = tags.closes + 1, tags.ends
        too_long = np.flatnonzero(tags.closes - tags.opens > LONGEST_TEXT)
        if len(too_long):
            problem = f"a tag of more than {LONGEST_TEXT:,} bytes"
            raise IllFormed(int(tags.opens[too_long[0]]), problem)
        kept, at = [], 0
        for number in np.flatnonzero(ends - starts > LONGEST_TEXT).tolist():
            start, end = int(starts[number]), int(ends[number])
            text = piece[start:end]
            short = _shortened(text, size=len(text), digest=hashlib.sha256(text).hexdigest())
            kept += [piece[at:start], short]
            at = end
        return b"".join((*kept, piece[at:])) if kept else piece

    def _shorten_until_tag(self, carried: bytes) -> bytes:
        """Read on until the next tag; return the tag in `carried` with its text shortened, and the rest."""
        close = carried.find(b">", 0, LONGEST_TEXT)
        if close < 0:
            reason = f"a tag or a text of more than {LONGEST_TEXT:,} bytes before any element"
            raise BadXml(self._file_name, f"{reason}, at about byte {self._place(0):,}")
        tag, text = carried[: close + 1], carried[close + 1 :]
        digest, size = hashlib.sha256(text), len(text)
        is_blank = (
            tag.startswith(b"</") and not text.strip()
        )  # between elements, where it means nothing
        while True:
            chunk = self._read_chunk()
            data = self._cleaner.clean(chunk, is_last=not chunk)
            part, mark, rest = data.partition(b"<")
            digest.update(part)
            size += len(part)
            is_blank = is_blank and not part.strip()
            if mark or not chunk:
                short = b" " if is_blank else _shortened(text, size=size, digest=digest.hexdigest())
                self._offset += size - len(short)
                return tag + short + mark + rest


def _namespaces(tags: Tags) -> int:
    """Count the declarations of namespaces in tags."""
    if b"xmlns" not in tags.piece:
        return 0
    piece, numbers = tags.piece, np.flatnonzero(tags.has_equals)
    places = zip(tags.opens[numbers].tolist(), tags.closes[numbers].tolist(), strict=True)
    with_attributes = b"".join([piece[begin:end] for begin, end in places])
    return with_attributes.count(b"xmlns:") + with_attributes.count(b"xmlns=")


def _shortened(text: bytes, *, size: int, digest: str) -> bytes:
    begin = _CUT_REFERENCE.sub(b"", text[:EXCERPT]).decode("utf-8", "ignore")
    return f"{begin}… [cut: {size:,} bytes, SHA-256 {digest}]".encode()


def _is_character(code: int) -> bool:
    """Tell whether XML 1.0 (2.2) allows a character."""
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or 0x10000 <= code <= 0x10FFFF
    )
