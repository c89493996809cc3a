"""Elements of a file that the mapping does not name: read slowly, and only where the tally shows some.

The file has been parsed before, so its tags are known to match. They are read one by one, in constant memory.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator

from esma_files.parsing.mapping import Mapping
from esma_files.parsing.pipe import Readable

# Different paths that are counted one by one; all others are counted together.
_MOST_PATHS, _OTHERS = 200, "(other paths)"
# Paths that are longer are of elements that are nested without end.
_LONGEST_PATH = 1_000
# A tag and the text behind it: end mark, prefix, name, attributes, mark of an empty element, text.
TAG = re.compile(rb"<(/?)(?:[^\s/>:]*:)?([^\s/>:]+)([^>]*?)(/?)>([^<]*)")
_ATTRIBUTE = re.compile(rb"""([^\s=]+)\s*=\s*(?:"[^"]*"|'[^']*')""")


@dataclasses.dataclass
class _Element:
    """An open element: its path below the root, and what it has held so far."""

    path: str
    text: bytes = b""
    children: int = 0
    groups: set[str] = dataclasses.field(default_factory=set)  # paths of groups below it


def count(stream: Readable, mapping: Mapping) -> dict[str, int]:
    """Count, by path below the root, what the mapping does not name: leaves, attributes and texts.

    Elements beside the records are counted too, but for those before the first. A leaf without text is
    counted as `path (empty)`: the tables cannot tell it from one that is absent. Text beside elements is
    counted as `path (text)`, and a second element where a record may have one as `path (repeated)`.
    """
    counts: Counter[str] = Counter()
    for path in _unnamed(stream, mapping):
        counts[path if path in counts or len(counts) < _MOST_PATHS else _OTHERS] += 1
    return dict(counts)


def describe_unknown_record(stream: Readable, mapping: Mapping, *, position: int) -> str:
    """Describe the record at `position`, counted from 1, which is not of exactly one known kind."""
    kinds = [path.partition("/")[2] for path in mapping.records.values()]
    tag = isin = ""
    names: list[str] = []
    for level, name, text in _starts_in_record(stream, mapping, position):
        if level == mapping.root_level + 1:
            tag = name
        elif level == mapping.root_level + 2:
            names.append(name)
        if not isin and name == "Id":
            isin = text.decode("utf-8", "replace")[:20]
    record = f"record {position:,}" + (f" (ISIN {isin!r})" if isin else "")
    if all(kinds) and [name in kinds for name in names] != [True]:
        held = " and ".join(f"<{name[:50]}>" for name in names[:5]) or "nothing"
        return f"{record} holds {held} in <{tag}>, not one of {', '.join(kinds)}"
    return f"{record}, a <{tag}>, holds no element that is known"


def _starts_in_record(
    stream: Readable, mapping: Mapping, position: int
) -> Iterator[tuple[int, str, bytes]]:
    """Yield level, name and text of each element of the record at a position, itself first."""
    number = 0
    for level, name, text in _starts(stream):
        if level == mapping.root_level + 1:
            if number == position:
                return
            number += name in mapping.record_tags
        if number == position:
            yield level, name, text


def _tags(stream: Readable) -> Iterator["_Tag"]:
    for piece in iter(stream.read, b""):
        for end, name, attributes, empty, text in TAG.findall(piece):
            yield _Tag(bool(end), name.decode("utf-8", "replace"), attributes, bool(empty), text)


@dataclasses.dataclass(frozen=True)
class _Tag:
    """A tag, and the text behind it."""

    is_end: bool
    name: str
    attributes: bytes
    is_empty: bool
    text: bytes


def _starts(stream: Readable) -> Iterator[tuple[int, str, bytes]]:
    """Yield level, name and text of each element, in order."""
    level = 0
    for tag in _tags(stream):
        if tag.is_end:
            level -= 1
        else:
            yield level + 1, tag.name, b"" if tag.is_empty else tag.text
            level += not tag.is_empty


def _unnamed(stream: Readable, mapping: Mapping) -> Iterator[str]:
    """Yield the path of each element, attribute and text that the mapping does not name."""
    walk, level, has_begun = _Walk(mapping), 0, False
    for tag in _tags(stream):
        if not tag.is_end:
            has_begun = has_begun or (
                level == mapping.root_level and tag.name in mapping.record_tags
            )
            if has_begun:
                yield from walk.start(tag)
            level += 1
        if tag.is_end or tag.is_empty:
            if has_begun and level > mapping.root_level:
                yield from walk.end(tag)
            level -= 1


class _Walk:
    """The open elements below the root, from the first record on."""

    def __init__(self, mapping: Mapping) -> None:
        self._root = mapping.root
        self._known, self._once = _known_paths(mapping), _paths_of_groups(mapping)
        self._open: list[_Element] = []

    def start(self, tag: _Tag) -> Iterator[str]:
        path = tag.name
        if self._open:
            parent = self._open[-1]
            path = _joined(parent.path, tag.name)
            if not parent.children and parent.text.strip():
                yield f"{parent.path} (text)"
            if path in self._once:
                if path in parent.groups:
                    yield f"{path} (repeated)"
                parent.groups.add(path)
            parent.children += 1
        for attribute in _ATTRIBUTE.findall(tag.attributes):
            name = f"{path}/@{attribute.decode('utf-8', 'replace').rpartition(':')[2]}"
            if name not in self._known and not attribute.startswith(b"xmlns"):
                yield name[:_LONGEST_PATH]
        self._open.append(_Element(path, text=b"" if tag.is_empty else tag.text))

    def end(self, tag: _Tag) -> Iterator[str]:
        element = self._open.pop()
        if not element.children:
            if element.path not in self._known:
                yield element.path
            elif not element.text:
                yield f"{element.path} (empty)"
        if tag.text.strip():
            yield f"{self._open[-1].path if self._open else self._root} (text)"


def _joined(path: str, name: str) -> str:
    return path if len(path) >= _LONGEST_PATH else f"{path}/{name}"[:_LONGEST_PATH]


def _known_paths(mapping: Mapping) -> set[str]:
    leaves = set(mapping.leaves)
    for group in mapping.groups:
        leaves |= {f"{group.path}/{leaf}" for leaf in group.leaves}
    return {f"{record}/{leaf}" for record in mapping.records.values() for leaf in leaves}


def _paths_of_groups(mapping: Mapping) -> set[str]:
    """Return the paths of groups of which a record has one at most."""
    once = [group.path for group in mapping.groups if not group.repeats]
    return {f"{record}/{path}" for record in mapping.records.values() for path in once}
