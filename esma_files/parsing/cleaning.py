"""Reduction of an XML to elements and text, chunk by chunk.

Comments and processing instructions are left out, CDATA sections become escaped text, and line ends become
`\\n` (XML 1.0, 2.11). The modules that look at the bytes afterwards need to know nothing of these.
"""

import codecs
import re

import numpy as np

from esma_files.errors import BadXml, ForbiddenXml, NotUtf8, TruncatedFile

# What begins like markup and holds no element: how it begins, and how it ends.
_COMMENT, _CDATA, _INSTRUCTION = (b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>")
_BEGINNING = re.compile(rb"<[!?]")
_LINE_END = 0x0A
_SPACE = 0x20
_IS_FORBIDDEN = np.arange(256) < _SPACE
_IS_FORBIDDEN[np.frombuffer(b"\t\n\r", dtype=np.uint8)] = False


class Cleaner:
    """Clean the chunks of one XML, in order. `bytes_read` counts what has been given to it."""

    def __init__(self, file_name: str) -> None:
        self._file_name = file_name
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._held = b""  # bytes that can only be judged together with those that follow
        self._inside: tuple[bytes, bytes] | None = None
        self._bytes_cleaned = 0
        self.bytes_read = 0

    def clean(self, chunk: bytes, *, is_last: bool = False) -> bytes:
        """Return what a chunk holds of elements and text; the last chunk may be empty.

        A byte order mark is left out. Raises NotUtf8, BadXml, ForbiddenXml and TruncatedFile.
        """
        self._check_characters(chunk, is_last=is_last)
        is_first, self.bytes_read = not self.bytes_read, self.bytes_read + len(chunk)
        if is_first:
            chunk = chunk.removeprefix(codecs.BOM_UTF8)
        data, self._held = self._held + chunk, b""
        if b"\r" in data:
            if data.endswith(b"\r") and not is_last:
                data, self._held = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if self._inside or data.endswith(b"<") or _has_markup(data):
            data = self._without_markup(data, is_last=is_last)
        if is_last and self._inside:
            opening = self._inside[0].decode()
            raise TruncatedFile(
                self._file_name, f"the XML ends in a {opening!r} that is not closed"
            )
        self._bytes_cleaned += len(data)
        return data

    @property
    def bytes_removed(self) -> int:
        """The number of bytes that have been left out so far."""
        return self.bytes_read - self._bytes_cleaned - len(self._held)

    def _check_characters(self, chunk: bytes, *, is_last: bool) -> None:
        if not chunk.isascii() or self._decoder.getstate()[0]:
            try:
                self._decoder.decode(chunk, final=is_last)
            except UnicodeDecodeError as error:
                place = self.bytes_read + error.start
                raise NotUtf8(
                    self._file_name, f"not UTF-8 at about byte {place:,} of the XML"
                ) from error
        data = np.frombuffer(chunk, dtype=np.uint8)
        controls = data < _SPACE
        # Counting is much faster than finding, and most are line ends.
        if np.count_nonzero(controls) > np.count_nonzero(data == _LINE_END):
            places = np.flatnonzero(controls)
            places = places[_IS_FORBIDDEN[data[places]]]
            if len(places):
                place, code = self.bytes_read + int(places[0]), int(data[places[0]])
                reason = f"the character U+{code:04X} at byte {place:,} is not allowed in XML"
                raise BadXml(self._file_name, reason)

    def _without_markup(self, data: bytes, *, is_last: bool) -> bytes:
        kept, at = [], 0
        while True:
            if self._inside:
                end = data.find(self._inside[1], at)
                until = end if end >= 0 else max(at, len(data) - len(self._inside[1]) + 1)
                if self._inside is _CDATA:
                    kept.append(_escaped(data[at:until]))
                if end < 0:
                    self._held = data[until:] + self._held
                    break
                at, self._inside = end + len(self._inside[1]), None
            begin = _BEGINNING.search(data, at)
            if begin is None:
                end = len(data) - (data.endswith(b"<") and not is_last)
                kept.append(data[at:end])
                self._held = data[end:] + self._held
                break
            kept.append(data[at : begin.start()])
            self._inside = next(
                (
                    markup
                    for markup in (_COMMENT, _CDATA, _INSTRUCTION)
                    if data.startswith(markup[0], begin.start())
                ),
                None,
            )
            if self._inside is None:
                rest = data[begin.start() :]
                if not is_last and (_COMMENT[0].startswith(rest) or _CDATA[0].startswith(rest)):
                    self._held = rest + self._held
                    break
                raise ForbiddenXml(
                    self._file_name, "a document type declaration or an entity is not accepted"
                )
            at = begin.start() + len(self._inside[0])
        return b"".join(kept)


def _has_markup(data: bytes) -> bool:
    """Tell whether `<!` or `<?` is in the data. Searching for one byte is much faster than for two."""
    for mark in (b"!", b"?"):
        place = data.find(mark)
        while place >= 0:
            if data.endswith(b"<", 0, place):
                return True
            place = data.find(mark, place + 1)
    return False


def _escaped(text: bytes) -> bytes:
    return text.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
