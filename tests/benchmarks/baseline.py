"""The loader that one writes first: lxml, one object a record, `bulk_create`. Kept to compare with.

It stores the same columns in the same table, without any check, history or instruments.
"""

import datetime as dt
import zipfile
from pathlib import Path
from typing import Any

from lxml import etree

from esma_files.models import EsmaFile
from instruments.fields import Type
from instruments.listings.fields import BASKET, COMMODITY, COMMODITY_LEVELS, FIELDS
from instruments.models import Listing

_COLUMNS = {field.path: field for field in FIELDS}


def load(path: Path, file: EsmaFile) -> int:
    """Parse one full file and insert its records; returns how many."""
    batch: list[Listing] = []
    count = 0
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as xml:
        for _, element in etree.iterparse(xml, tag="{*}RefData"):
            count += 1
            batch.append(_listing(element, file, count))
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
            if len(batch) == 5_000:
                Listing.objects.bulk_create(batch, batch_size=5_000)
                batch.clear()
    Listing.objects.bulk_create(batch, batch_size=5_000)
    return count


def _listing(record: etree._Element, file: EsmaFile, position: int) -> Listing:
    values: dict[str, Any] = {}
    _walk(record, "", values)
    begin = values.get("published_period_from") or values.get("published_from") or file.published_on
    return Listing(
        status="active",
        valid_from=begin,
        source_file=file,
        source_position=position,
        record_kind="full",
        fingerprint=0,
        **values,
    )


def _walk(element: etree._Element, path: str, values: dict[str, Any]) -> None:
    children = list(element)
    for name, text in element.attrib.items():
        values[_COLUMNS[f"{path}/@{name!s}"].column] = text
    for child in children:
        below = str(child.tag).rpartition("}")[2]
        _walk(child, f"{path}/{below}" if path else below, values)
    if children:
        return
    text = element.text or ""
    if path.startswith(BASKET.path):
        values["underlying_basket"] = f"{values.get('underlying_basket', '')} {text}".strip()
    elif path.startswith(COMMODITY.path):
        product, _, level = path.removeprefix(f"{COMMODITY.path}/").rpartition("/")
        values["commodity_product"] = product
        values[next(c for c, tag in COMMODITY_LEVELS.items() if tag == level)] = text
    else:
        field = _COLUMNS[path]
        values[field.column] = _value(field.type, text)


def _value(kind: Type, text: str) -> Any:
    if kind is Type.BOOLEAN:
        return text == "true"
    if kind is Type.DATETIME:
        moment = dt.datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return text
