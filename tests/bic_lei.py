"""Files in the form of GLEIF's BIC-LEI files, made by hand."""

import zipfile
from pathlib import Path


def put(folder: Path, pairs: list[tuple[str, str]], day: str = "20260828") -> Path:
    """Write a zip of pairs of LEI and BIC as GLEIF does: the CSV in it has a name of its own."""
    path = folder / f"LEI-BIC-{day}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        lines = ["LEI,BIC", *(f"{lei},{bic}" for lei, bic in pairs), ""]
        archive.writestr(f"lei-bic-{day}T000000.csv", "\n".join(lines))
    return path
