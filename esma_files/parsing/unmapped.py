"""What a file holds that no mapping is there for: read slowly, and only where the tally says so."""

from collections import Counter
from typing import IO

from lxml import etree

from esma_files.errors import BadXml
from esma_files.parsing.mapping import Mapping


def find(xml: IO[bytes], mapping: Mapping, *, file_name: str) -> dict[str, int]:
    """Count, by path below the root, the leaves and attributes that the mapping does not name.

    Raises BadXml: libxml2 is stricter than the parser that has read the file before.
    A leaf without text is named `path (empty)`: the tables cannot tell it from one that is absent.
    """
    strange: Counter[str] = Counter()
    try:
        _count(xml, mapping, strange)
    except etree.XMLSyntaxError as error:
        raise BadXml(file_name, str(error)) from error
    return dict(strange)


def _count(xml: IO[bytes], mapping: Mapping, strange: Counter[str]) -> None:
    known = _known(mapping)
    tags = [f"{{*}}{tag}" for tag in mapping.record_tags]
    last = None
    for _, top in etree.iterparse(xml, tag=tags, resolve_entities=False, no_network=True):
        parent = top.getparent()
        if parent is None or _name(parent) != mapping.root:
            continue
        _compare(top, _name(top), known, strange)
        top.clear()
        for before in list(top.itersiblings(preceding=True)):
            if last is not None and before is not last:  # what is before the first is the header
                _compare_beside(before, known, strange)
            parent.remove(before)
        last = top
    for after in last.itersiblings() if last is not None else ():
        _compare_beside(after, known, strange)


def _compare_beside(element: etree._Element, known: set[str], strange: Counter[str]) -> None:
    """An element beside the records, as SplmtryData; comments are none."""
    if isinstance(element.tag, str):
        _compare(element, _name(element), known, strange)


def _known(mapping: Mapping) -> set[str]:
    leaves = set(mapping.leaves)
    for group in mapping.groups:
        leaves |= {f"{group.path}/{leaf}" for leaf in group.leaves}
    return {f"{record}/{leaf}" for record in mapping.records.values() for leaf in leaves}


def _compare(element: etree._Element, path: str, known: set[str], strange: Counter[str]) -> None:
    for attribute in element.attrib:
        where = f"{path}/@{str(attribute).rpartition('}')[2]}"
        if where not in known:
            strange[where] += 1
    children = [child for child in element if isinstance(child.tag, str)]
    for child in children:
        _compare(child, f"{path}/{_name(child)}", known, strange)
    if not children:
        if path not in known:
            strange[path] += 1
        elif not element.text:
            strange[f"{path} (empty)"] += 1


def _name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]
