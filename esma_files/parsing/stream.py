"""The bytes of one XML entry, watched on their way to the parser.

The parser does not see what it should: a file cut between records, text that is no XML, another
encoding. All that is looked at here, in passing, on bytes.
"""

import codecs
import re
from typing import IO

import numpy as np

from esma_files.archive import DAMAGE
from esma_files.errors import (
    BadArchive,
    EmptyFile,
    FileProblem,
    ForbiddenXml,
    NotUtf8,
    TruncatedFile,
)

CHUNK = 1 << 18
_ENCODING = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([^"']*)["']""")
_DOCTYPE = re.compile(rb"<!(DOCTYPE|ENTITY)")
_CLOSED = re.compile(rb"</(?:[\w.-]+:)?BizData\s*>\s*\Z")
_OVERLAP = 64
_TAG, _BANG, _QUESTION, _EQUALS = b"<!?="
_QUOTES = np.frombuffer(b"\"'", dtype=np.uint8)


class WatchedStream:
    """A readable stream that raises FileProblem where the bytes are not those of a whole UTF-8 XML.

    `tags` and `attributes` count what has been read: every `<` and every `="` or `='`; `bytes_read` the
    bytes. `is_plain` while all of it is elements and text: no comment, CDATA or processing instruction.
    """

    def __init__(self, source: IO[bytes], *, file_name: str) -> None:
        self._source = source
        self._file_name = file_name
        self._buffer = memoryview(b"")
        self._tail = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._at_end = False
        self.bytes_read = 0
        self.tags = 0
        self.attributes = 0
        self._others = 0
        self.problem: FileProblem | None = None
        self._fill()
        self.head = bytes(self._buffer)
        if not self.head.strip():
            raise self._found(EmptyFile(file_name, "there is nothing in its XML"))
        self._check_encoding()
        self._declarations = int(self.head.removeprefix(codecs.BOM_UTF8).startswith(b"<?xml"))

    @property
    def is_plain(self) -> bool:
        return self._others == self._declarations

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, b"" at the end."""
        if not self._buffer and not self._at_end:
            self._fill()
        taken = self._buffer if size < 0 else self._buffer[:size]
        self._buffer = self._buffer[len(taken) :]
        return bytes(taken)

    def _fill(self) -> None:
        try:
            chunk = self._source.read(CHUNK)
        except DAMAGE as error:
            reason = f"the zip is damaged after {self.bytes_read:,} bytes of XML ({error})"
            raise self._found(BadArchive(self._file_name, reason)) from error
        self._at_end = not chunk
        self._check(chunk)
        self.bytes_read += len(chunk)
        self._buffer = memoryview(chunk)

    def _check(self, chunk: bytes) -> None:
        try:
            if not chunk or not chunk.isascii() or self._decoder.getstate()[0]:
                self._decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            where = self.bytes_read + error.start
            raise self._found(
                NotUtf8(self._file_name, f"not UTF-8 at about byte {where:,} of the XML")
            ) from error
        # Two bytes that belong together may lie in two chunks: so look from the last byte on.
        self._look(np.frombuffer((self._tail[-1:] or b" ") + chunk, dtype=np.uint8))
        self._tail = (self._tail + chunk[-_OVERLAP:])[-_OVERLAP:]
        if self._at_end and self.bytes_read and not _CLOSED.search(self._tail):
            reason = f"cut off after {self.bytes_read:,} bytes: </BizData> is missing at the end"
            raise self._found(TruncatedFile(self._file_name, reason))

    def _look(self, seen: np.ndarray) -> None:
        """Count tags and attributes, and find declarations; the first byte has been counted."""
        tag = seen == _TAG
        self.tags += int(np.count_nonzero(tag[1:]))
        is_bang = tag[:-1] & (seen[1:] == _BANG)
        self._others += int(np.count_nonzero(is_bang | (tag[:-1] & (seen[1:] == _QUESTION))))
        following = np.flatnonzero(seen[:-1] == _EQUALS) + 1
        self.attributes += int(np.isin(seen[following], _QUOTES).sum())
        if is_bang.any() and _DOCTYPE.search(self._tail + seen.tobytes()):
            reason = "a document type declaration or an entity is not accepted"
            raise self._found(ForbiddenXml(self._file_name, reason))

    def _check_encoding(self) -> None:
        said = _ENCODING.match(self.head.removeprefix(codecs.BOM_UTF8))
        if said and said[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
            encoding = said[1].decode("ascii", "replace")
            raise self._found(NotUtf8(self._file_name, f"the XML says it is {encoding}, not UTF-8"))

    def _found(self, problem: FileProblem) -> FileProblem:
        """Keep the problem: the parser that reads from here may wrap it or lose it."""
        self.problem = problem
        return problem
