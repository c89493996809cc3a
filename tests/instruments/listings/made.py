"""Files that the tests of bad files and bad records are made of."""

import io
import zipfile
from pathlib import Path

from tests import firds

VOLVO, ERICSSON, NORDEA = "SE0000115446", "SE0000108656", "FI4000297767"
NAME = "FULINS_E_20250302_01of01"


def good(*, extra: str = "") -> bytes:
    return firds.message(
        NAME,
        firds.record("RefData", VOLVO, "XSTO", name="Volvo", period="2025-03-01", extra=extra),
        firds.record("RefData", ERICSSON, "XSTO", name="Ericsson", period="2025-03-01"),
    )


def zipped(xml: bytes, *, entry: str = f"{NAME}.xml") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(entry, xml)
    return made.getvalue()


def put(tmp_path: Path, content: bytes, name: str = NAME) -> Path:
    path = tmp_path / f"{name}.zip"
    path.write_bytes(content)
    return path
