"""The loader of FITRS results that one writes first, to compare with: lxml, one object a record.

It stores the same columns in the same table, without any check, history or key.
"""

import itertools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from esma_files.models import EsmaFile
from instruments.fields import Type
from instruments.layouts import layout_of
from instruments.models import TransparencyResult


def load(path: Path, file: EsmaFile) -> int:
    """Parse one file and insert its records; returns how many."""
    count = 0
    records = _records(path, file)
    while batch := list(itertools.islice(records, 5_000)):
        TransparencyResult.objects.bulk_create(batch, batch_size=5_000)
        count += len(batch)
    return count


def _records(path: Path, file: EsmaFile) -> Iterator[TransparencyResult]:
    fields = {field.path: field for field in layout_of(path.name).fields}
    tags = ["{*}EqtyTrnsprncyData", "{*}NonEqtyTrnsprncyData"]
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as xml:
        found = enumerate(etree.iterparse(xml, tag=tags), start=1)
        for position, (_, element) in found:
            leaves = list(_leaves(element, ""))
            values: dict[str, Any] = {}
            names = [text for name, text in leaves if name.endswith("/CritNm")]
            criteria = [text for name, text in leaves if name.endswith("/CritVal")]
            for name, text in leaves:
                if (field := fields.get(name)) is not None:
                    values[field.column] = text == "true" if field.type is Type.BOOLEAN else text
                elif name.endswith("/Desc"):
                    values["sub_class"] = text
            yield TransparencyResult(
                source_file=file,
                source_position=position,
                record_kind="plain",
                fingerprint=position + file.pk * 1_000_000,
                result_key=position,
                criteria=list(zip(names, criteria, strict=True)) or None,
                **values,
            )
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]


def _leaves(element: etree._Element, path: str) -> Iterator[tuple[str, str]]:
    for attribute, value in element.attrib.items():
        yield f"{path}/@{attribute!s}", str(value)
    children = list(element)
    for child in children:
        below = str(child.tag).rpartition("}")[2]
        yield from _leaves(child, f"{path}/{below}" if path else below)
    if not children:
        yield path, element.text or ""
