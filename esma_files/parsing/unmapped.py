"""Elements of a file that the mapping does not name: read slowly, and only where the tally shows that there
are some.
"""

from collections import Counter
from collections.abc import Iterator

from lxml import etree

from esma_files.errors import BadXml
from esma_files.parsing.mapping import Mapping
from esma_files.parsing.stream import CheckedStream

# Different paths that are counted one by one; all others are counted together.
_MOST_PATHS = 200
_OTHERS = "(other paths)"


def count(stream: CheckedStream, mapping: Mapping, *, file_name: str) -> dict[str, int]:
    """Count, by path below the root, what the mapping does not name: leaves, attributes and texts.

    A leaf without text is counted as `path (empty)`: the tables cannot tell it from one that is absent. Text
    beside elements is counted as `path (text)`, and a second element where a record may have one as `path
    (repeated)`. Raises BadXml: libxml2 is stricter than the parser that has read the file before.
    """
    counts: Counter[str] = Counter()
    known = _known_paths(mapping)
    try:
        for element in _children_of_root(stream, mapping, with_header=False):
            for path in _differences(element, _name(element), known, mapping):
                counts[path if path in counts or len(counts) < _MOST_PATHS else _OTHERS] += 1
    except etree.XMLSyntaxError as error:
        raise BadXml(file_name, str(error)) from error
    return dict(counts)


def describe_unknown_record(stream: CheckedStream, mapping: Mapping, *, position: int) -> str:
    """Describe the record at `position`, counted from 1, which is not of exactly one known kind."""
    kinds = [path.partition("/")[2] for path in mapping.records.values()]
    number = 0
    for element in _children_of_root(stream, mapping, with_header=True):
        number += _name(element) in mapping.record_tags
        if number < position:
            continue
        isin = next((e.text for e in element.iter("{*}Id") if e.text), "")
        record = f"record {position:,}" + (f" (ISIN {isin[:20]!r})" if isin else "")
        names = [_name(child) for child in element if isinstance(child.tag, str)]
        if all(kinds) and [name in kinds for name in names] != [True]:
            held = " and ".join(f"<{name[:50]}>" for name in names[:5]) or "nothing"
            expected = f"not one of {', '.join(kinds)}"
            return f"{record} holds {held} in <{_name(element)}>, {expected}"
        return f"{record}, a <{_name(element)}>, holds no element that is known"
    return f"record {position:,} is of no known kind"


def _children_of_root(
    stream: CheckedStream, mapping: Mapping, *, with_header: bool
) -> Iterator[etree._Element]:
    """Yield the children of the message's root; those before the first record only on request."""
    tags = [f"{{*}}{tag}" for tag in mapping.record_tags]
    is_before = not with_header
    last = None
    for _, top in etree.iterparse(stream, tag=tags, resolve_entities=False, no_network=True):
        parent = top.getparent()
        if parent is None or _name(parent) != mapping.root:
            continue
        for before in list(top.itersiblings(preceding=True))[::-1]:
            if before is not last and not is_before and isinstance(before.tag, str):
                yield before
            parent.remove(before)
        is_before = False
        yield top
        top.clear(keep_tail=True)
        last = top
    for after in last.itersiblings() if last is not None else ():
        if isinstance(after.tag, str):
            yield after


def _known_paths(mapping: Mapping) -> set[str]:
    leaves = set(mapping.leaves)
    for group in mapping.groups:
        leaves |= {f"{group.path}/{leaf}" for leaf in group.leaves}
    return {f"{record}/{leaf}" for record in mapping.records.values() for leaf in leaves}


def _differences(
    element: etree._Element, path: str, known: set[str], mapping: Mapping
) -> Iterator[str]:
    for attribute in element.attrib:
        name = f"{path}/@{str(attribute).rpartition('}')[2]}"
        if name not in known:
            yield name
    children = [child for child in element if isinstance(child.tag, str)]
    met: set[str] = set()
    for child in children:
        below = f"{path}/{_name(child)}"
        if below in met and _occurs_once(below, mapping):
            yield f"{below} (repeated)"
        met.add(below)
        yield from _differences(child, below, known, mapping)
        if (child.tail or "").strip():
            yield f"{path} (text)"
    if children:
        if (element.text or "").strip():
            yield f"{path} (text)"
    elif path not in known:
        yield path
    elif not element.text:
        yield f"{path} (empty)"


def _occurs_once(path: str, mapping: Mapping) -> bool:
    """Whether a record has one element at the path of a group at most."""
    return any(
        path == f"{record}/{group.path}"
        for record in mapping.records.values()
        for group in mapping.groups
        if not group.repeats
    )


def _name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]
