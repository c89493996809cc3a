"""Documents without the elements that a record repeats and may have only once.

The parser refuses a whole document for one such record. So the document is read a second time, without the
repeated elements, and these are noted: their records can be rejected, and the others loaded.
"""

import html
from collections.abc import Iterator

from esma_files.parsing.mapping import Mapping
from esma_files.parsing.pipe import Readable
from esma_files.parsing.unmapped import TAG

# By position of the record, from 0: the path and the text of each repeated element.
Repeats = dict[int, list[tuple[str, str]]]


class WithoutRepeats:
    """A readable stream of the document `stream`, without repeated elements, which are added to `repeats`.

    `position` is that of the first record. What is read has been noted in `repeats` before it is returned.
    """

    def __init__(
        self, stream: Readable, mapping: Mapping, *, position: int, repeats: Repeats
    ) -> None:
        self._stream = stream
        self._record_tags, self._root_level = mapping.record_tags, mapping.root_level
        self._leaves = {
            f"{record}/{leaf}": leaf
            for record in mapping.records.values()
            for leaf in (*mapping.leaves, *_group_leaves(mapping))
        }
        self._groups = {
            f"{record}/{group.path}"
            for record in mapping.records.values()
            for group in mapping.groups
        }
        self._repeats = repeats
        self._position = position - 1
        self._level = 0
        self._path: list[str] = []  # of the open elements of a record
        self._seen: set[tuple[str, int]] = (
            set()
        )  # leaves of the record, each with its row of a group
        self._group_row = 0
        self._dropped_from: int | None = None  # the level of a repeated element that is open

    def read(self, size: int = -1) -> bytes:
        """Return the next piece, b"" at the end."""
        for piece in iter(self._stream.read, b""):
            if kept := b"".join(self._kept(piece)):
                return kept
        return b""

    def _kept(self, piece: bytes) -> Iterator[bytes]:
        yield piece[: len(piece) - len(piece.lstrip(b" \t\r\n"))]  # before the first element of all
        for tag in TAG.finditer(piece):
            is_end, name, _, is_empty, text = tag.groups()
            if is_end:
                if self._dropped_from is None:
                    yield tag[0]
                self._end()
                continue
            self._start(name.decode("utf-8", "replace"), text)
            if self._dropped_from is None:
                yield tag[0]
            if is_empty:
                self._end()

    def _start(self, name: str, text: bytes) -> None:
        self._level += 1
        if self._level == self._root_level + 1 and name in self._record_tags:
            self._position += 1
            self._path, self._group_row = [name], 0
            self._seen.clear()
            return
        if not self._path:
            return
        if "/".join(self._path) in self._groups:
            self._group_row += 1
        self._path.append(name)
        path = "/".join(self._path)
        if self._dropped_from is not None or path not in self._leaves:
            return
        is_in_group = any(path.startswith(f"{group}/") for group in self._groups)
        key = (path, self._group_row if is_in_group else 0)
        if key in self._seen:
            self._dropped_from = self._level
            repeated = html.unescape(text.decode("utf-8", "replace"))
            self._repeats.setdefault(self._position, []).append((self._leaves[path], repeated))
        self._seen.add(key)

    def _end(self) -> None:
        if self._dropped_from == self._level:
            self._dropped_from = None
        self._level -= 1
        if self._path:
            self._path.pop()


def _group_leaves(mapping: Mapping) -> Iterator[str]:
    for group in mapping.groups:
        yield from (f"{group.path}/{leaf}" for leaf in group.leaves)
