"""Files in the form of GLEIF's ISIN-LEI files, made by hand."""

import zipfile
from collections.abc import Iterable
from pathlib import Path


def name(day: str = "20260810") -> str:
    """The name of a file, without its ending."""
    return f"isin-lei-{day}T071513"


def table(pairs: Iterable[tuple[str, str]]) -> bytes:
    """The CSV of pairs of ISIN and LEI."""
    return "".join(["LEI,ISIN\n", *(f"{lei},{isin}\n" for isin, lei in pairs)]).encode()


def put(folder: Path, content: bytes, *, day: str = "20260810", entry: str = "") -> Path:
    """Write a zip as GLEIF does: the CSV in it has a name of its own."""
    path = folder / f"{name(day)}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(entry or f"lei-isin-{day}T071513.csv", content)
    return path
