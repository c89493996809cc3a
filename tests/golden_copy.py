"""GLEIF's files: the real excerpts in tests/data/gleif, and files made by hand."""

import io
import zipfile
from pathlib import Path

from esma_files.models import Run
from instruments import pipeline
from tests.conftest import DATA

FULL = "20230605-0800-gleif-goldencopy-lei2-golden-copy"
EXCERPT = DATA / "gleif" / f"{FULL}.xml"
_NAMESPACE = "http://www.gleif.org/data/schema/leidata/2016"


def name(day: str = "20230605", content: str = "golden-copy", *, subject: str = "lei2") -> str:
    """The name of a file, without its ending; `content` may be a delta, as last-day."""
    return f"{day}-0800-gleif-goldencopy-{subject}-{content}"


def put(folder: Path, stem: str, xml: bytes) -> Path:
    """Write a zip as GLEIF does: with the ending .xml.zip, and the XML without `.zip` in it."""
    path = folder / f"{stem}.xml.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{stem}.xml", xml)
    return path


def message(*records: str, content: str = "FULL") -> bytes:
    """A level 1 file."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><lei:LEIData xmlns:lei="{_NAMESPACE}"><lei:LEIHeader>'
        "<lei:ContentDate>2023-06-05T08:20:51Z</lei:ContentDate>"
        f"<lei:FileContent>GLEIF_{content}_PUBLISHED</lei:FileContent>"
        f"<lei:RecordCount>{len(records)}</lei:RecordCount></lei:LEIHeader>"
        f"<lei:LEIRecords>{''.join(records)}</lei:LEIRecords></lei:LEIData>"
    ).encode()


def record(
    lei: str,
    legal_name: str = "Aktiebolaget Volvo",
    *,
    updated: str = "2023-05-18T15:41:20.212Z",
    entity: str = "",
    registration: str = "",
) -> str:
    """A level 1 record, with more elements of the entity and of its registration."""
    return (
        f'<lei:LEIRecord xmlns:lei="{_NAMESPACE}"><lei:LEI>{lei}</lei:LEI><lei:Entity>'
        f'<lei:LegalName xml:lang="sv">{legal_name}</lei:LegalName>{entity}</lei:Entity>'
        f"<lei:Registration><lei:LastUpdateDate>{updated}</lei:LastUpdateDate>{registration}"
        "</lei:Registration></lei:LEIRecord>"
    )


def load(*paths: Path) -> list[Run]:
    """Load files one after the other; raises the error of the first that fails."""
    runs = []
    for path in paths:
        for result in pipeline.load(pipeline.register_files([path])):
            if result.error:
                raise result.error
            assert result.run is not None
            runs.append(result.run)
    return runs


def xml_of(path: Path) -> io.BytesIO:
    """The XML in a zip, or an XML itself."""
    if path.suffix == ".xml":
        return io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        return io.BytesIO(archive.read(archive.namelist()[0]))
