"""`make bench`: how fast a golden copy of legal entities becomes tables, beside a plain loader.

The records are the real ones of tests/data/gleif, each with its own LEI. Then ISIN-LEI files are loaded.
"""

import argparse
import sys
import tempfile
import zipfile
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
_ISINS_OF_ISSUER = 92  # on average, in the file of 2026
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
    """The loader that one writes first: lxml, one object a row, `bulk_create`.

    It fills the same tables, without checks, comparison with earlier records or an index of names.
    """
    from instruments.entities.fields import ENTITY_FIELDS, PARTS
    from instruments.entities.load_entities import PART_MODELS
    from instruments.models import LegalEntity

    fields = {field.path: field.column for field in ENTITY_FIELDS}
    parts = {
        part.paths[name]: (
            PART_MODELS[part.table],
            {field.path: field.column for field in part_fields},
            part.is_split,
        )
        for part in PARTS
        for name, part_fields in part.groups.items()
    }
    waiting: dict[Any, list[Any]] = {model: [] for model in (LegalEntity, *PART_MODELS.values())}
    count = 0

    def flush() -> None:
        for model, rows in waiting.items():
            model._default_manager.bulk_create(rows, batch_size=5_000)
            rows.clear()

    def read_parts(element: etree._Element, path: str, lei: str) -> None:
        for child in element:
            below = f"{path}/{etree.QName(child).localname}".lstrip("/")
            if below not in parts:
                read_parts(child, below, lei)
                continue
            model, columns, is_split = parts[below]
            for member in [child] if is_split else child:
                values: dict[str, Any] = {}
                _walk(member, "" if is_split else etree.QName(member).localname, columns, values)
                waiting[model].append(model(entity_id=lei, **values))

    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as xml:
        for _, element in etree.iterparse(xml, tag="{*}LEIRecord"):
            count += 1
            values: dict[str, Any] = {}
            _walk(element, "", fields, values)
            waiting[LegalEntity].append(
                LegalEntity(source_file=file, source_position=count, fingerprint=0, **values)
            )
            read_parts(element, "", values["lei"])
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
            if count % 5_000 == 0:
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


def isin_of(number: int) -> str:
    """An ISIN with the right check digit (ISO 6166)."""
    body = f"ZZ{number:09d}"
    digits = "".join(str(_DIGITS.index(letter)) for letter in body)
    weighted = (
        int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(digits[::-1])
    )
    return f"{body}{-sum(value // 10 + value % 10 for value in weighted) % 10}"


def grow_pairs(folder: Path, *, rows: int, day: str, changed: int = 0) -> Path:
    """Write an ISIN-LEI file of GLEIF's form, with 92 ISINs an LEI; the first `changed` have another LEI."""
    folder.mkdir(exist_ok=True)
    path = folder / f"isin-lei-{day}T071513.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(f"lei-isin-{day}T071513.csv", "w") as out,
    ):
        out.write(b"LEI,ISIN\n")
        for number in range(rows):
            issuer = number // _ISINS_OF_ISSUER + (1 if number < changed else 0)
            out.write(f"{lei_of(issuer)},{isin_of(number)}\n".encode())
    return path


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
            *_load_pairs(records, folder),
        ]
        console.print(table_of(done))
        console.print(
            f"Loading takes {done[2].rate / done[0].rate:.1f} times fewer seconds a record than lxml with"
            " bulk_create."
        )


def _load_pairs(rows: int, folder: Path) -> list[measure.Measured]:
    """Load an ISIN-LEI file, and that of the next day, in which one row of a hundred has changed."""
    first = grow_pairs(folder / "pairs", rows=rows, day="20230605")
    second = grow_pairs(folder / "next pairs", rows=rows, day="20230606", changed=rows // 100)
    return [
        _measure("load an ISIN-LEI file", "load", first, folder / "entities"),
        _measure("load that of the next day", "load", second, folder / "entities"),
    ]


def _measure(what: str, step: str, path: Path, folder: Path) -> measure.Measured:
    return measure.run(what, "tests.benchmarks.step", step, str(path), folder=folder)


if __name__ == "__main__":
    main()
