"""`make bench`: how fast a golden copy of legal entities becomes tables, beside a plain loader.

The records are the real ones of tests/data/gleif, each with an LEI of its own. Searches are timed at the end.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

from lxml import etree
from rich.console import Console

from tests.benchmarks import measure
from tests.benchmarks.loading import BASELINE_SHARE, table_of

EXCERPT = (
    Path(__file__).parent.parent
    / "data"
    / "gleif"
    / "20230605-0800-gleif-goldencopy-lei2-golden-copy.xml"
)
FULL, DELTA = (
    "20230605-0800-gleif-goldencopy-lei2-golden-copy",
    ("20230606-0800-gleif-goldencopy-lei2-last-day"),
)
_END = b"  </lei:LEIRecords>\n</lei:LEIData>\n"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def lei_of(number: int) -> str:
    """An LEI with right check digits (ISO 7064 MOD 97-10)."""
    body = f"5493{number:014d}"
    value = int("".join(str(_DIGITS.index(letter)) for letter in f"{body}00"))
    return f"{body}{98 - value % 97:02d}"


def grow(folder: Path, *, records: int, stem: str = FULL, updated: str = "") -> Path:
    """Write a file of GLEIF's form with so many records; with `updated`, as a delta of changed ones."""
    folder.mkdir(exist_ok=True)
    text = EXCERPT.read_bytes()
    head, _, rest = text.partition(b"<lei:LEIRecord ")
    body, _, _ = (b"<lei:LEIRecord " + rest).partition(b"  </lei:LEIRecords>")
    real = [record + b"</lei:LEIRecord>\n" for record in body.split(b"</lei:LEIRecord>\n")[:-1]]
    path = folder / f"{stem}.xml.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(f"{stem}.xml", "w", force_zip64=True) as out,
    ):
        out.write(head.replace(b"_FULL_", b"_DELTA_") if updated else head)
        for number in range(records):
            record = real[number % len(real)]
            begin = record.index(b"<lei:LEI>") + len(b"<lei:LEI>")
            grown = record[:begin] + lei_of(number).encode() + record[begin + 20 :]
            if updated:
                start = grown.index(b"<lei:LastUpdateDate>") + len(b"<lei:LastUpdateDate>")
                stop = grown.index(b"</lei:LastUpdateDate>")
                grown = grown[:start] + updated.encode() + grown[stop:]
            out.write(grown)
        out.write(_END)
    return path


def load_plainly(path: Path, file: Any) -> int:
    """The loader that one writes first: lxml, one object a record, `bulk_create`; no check and no index."""
    from instruments.entities.fields import ENTITY_FIELDS
    from instruments.models import EntityName, LegalEntity

    fields = {field.path: field.column for field in ENTITY_FIELDS}
    entities: list[LegalEntity] = []
    names: list[EntityName] = []
    count = 0

    def flush() -> None:
        LegalEntity.objects.bulk_create(entities, batch_size=5_000)
        EntityName.objects.bulk_create(names, batch_size=5_000)
        entities.clear()
        names.clear()

    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as xml:
        for _, element in etree.iterparse(xml, tag="{*}LEIRecord"):
            count += 1
            values: dict[str, Any] = {}
            _walk(element, "", fields, values)
            entities.append(
                LegalEntity(source_file=file, source_position=count, fingerprint=0, **values)
            )
            names.extend(
                EntityName(entity_id=values["lei"], type=name.get("type"), name=name.text)
                for name in element.iterfind(".//{*}OtherEntityName")
            )
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
            if len(entities) == 5_000:
                flush()
    flush()
    return count


def _walk(
    element: etree._Element, path: str, fields: dict[str, str], values: dict[str, Any]
) -> None:
    for name, text in element.attrib.items():
        column = fields.get(f"{path}/@{etree.QName(name).localname}")
        if column:
            values[column] = str(text)
    for child in element:
        below = etree.QName(child).localname
        _walk(child, f"{path}/{below}" if path else below, fields, values)
    if not len(element) and path in fields:
        values[fields[path]] = element.text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    records = parser.parse_args().records
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        console.print(f"Growing {records:,} legal entities from the real ones ...")
        whole = grow(folder / "whole", records=records)
        share = grow(folder / "share", records=records // BASELINE_SHARE)
        delta = grow(
            folder / "delta",
            records=min(10_000, records),
            stem=DELTA,
            updated="2024-01-01T00:00:00Z",
        )
        for database in ("plain", "entities"):
            (folder / database).mkdir()
            measure.run("migrate", "tests.benchmarks.step", "migrate", folder=folder / database)
        done = [
            _measure("lxml + bulk_create", "plain_entities", share, folder / "plain"),
            _measure("parse only", "parse", whole, folder / "plain"),
            _measure("load", "load", whole, folder / "entities"),
            _measure("load the same file again", "load", whole, folder / "entities"),
            _measure("load a delta", "load", delta, folder / "entities"),
        ]
        console.print(table_of(done))
        console.print(
            f"Loading takes {done[2].rate / done[0].rate:.1f} times fewer seconds a record than lxml with"
            " bulk_create."
        )
        console.print(f"A search by two words took {_search(folder / 'entities'):.1f} ms.")


def _measure(what: str, step: str, path: Path, folder: Path) -> measure.Measured:
    return measure.run(what, "tests.benchmarks.step", step, str(path), folder=folder)


def _search(folder: Path) -> float:
    """Milliseconds of a search for the first page of the entities with two words in a name."""
    with closing(sqlite3.connect(folder / "marketdata.sqlite3")) as database:
        started = time.monotonic()
        rows = database.execute(
            "SELECT * FROM instruments_legalentity WHERE id IN (SELECT rowid FROM"
            ' instruments_entity_index WHERE instruments_entity_index MATCH \'"dentsu"* AND "aegis"*\')'
            " ORDER BY lei LIMIT 20"
        ).fetchall()
        assert len(rows) == 20, rows
        return (time.monotonic() - started) * 1000


if __name__ == "__main__":
    main()
