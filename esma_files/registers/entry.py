"""One entry of a register. It comes from outside, so each of its values is checked."""

import dataclasses
import re
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from django.conf import settings

from esma_files.datasets import Dataset
from esma_files.errors import BadFileName
from esma_files.kinds import FileKind
from esma_files.names import FileName
from esma_files.registers.answers import Entry
from marketdata.common import http
from marketdata.common.errors import ForbiddenAddress, PermanentError

_MD5 = re.compile("[0-9a-f]{32}")


class UnusableEntry(PermanentError):
    """An entry with an invalid value. The other entries of its register are used."""


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """A file as the register lists it; `md5` is "" where the register gives none."""

    dataset: str
    name: FileName
    url: str
    md5: str
    register_id: str

    @classmethod
    def from_entry(cls, entry: Entry, *, dataset: str) -> "PublishedFile":
        """Check an entry. Raises UnusableEntry."""
        file_name = entry.get("file_name", "")
        try:
            name = FileName.parse(file_name)
            url = http.allowed(entry.get("download_link", ""), hosts=settings.DOWNLOAD_HOSTS)
        except (BadFileName, ForbiddenAddress) as error:
            raise UnusableEntry(str(error)) from error
        if dataset not in name.kind.datasets:
            raise UnusableEntry(f"{file_name}: {dataset} has no files of the kind {name.kind}")
        last_part = urlsplit(url).path.rpartition("/")[2]
        has_name = Dataset(dataset).publication.names_in_links
        if has_name and last_part not in (file_name, f"{name.stem}.zip"):
            raise UnusableEntry(f"{file_name}: its link leads to another file, {url}")
        md5 = entry.get("checksum", "").strip().lower()
        if md5 and not _MD5.fullmatch(md5):
            raise UnusableEntry(f"{file_name}: the checksum {md5[:50]!r} is not an MD5")
        return cls(dataset, name, url, md5, entry.get("id", "")[:50])


def read_files(
    entries: Iterable[Entry], *, dataset: str, kinds: Collection[FileKind]
) -> tuple[list[PublishedFile], list[UnusableEntry]]:
    """Return the files of these kinds among entries, and the entries with invalid values."""
    files: list[PublishedFile] = []
    unusable: list[UnusableEntry] = []
    for entry in entries:
        try:
            file = PublishedFile.from_entry(entry, dataset=dataset)
        except UnusableEntry as error:
            unusable.append(error)
            continue
        if file.name.kind in kinds:
            files.append(file)
    return files, unusable


def is_file(entry: Entry) -> bool:
    """Return True if an entry is a file: ESMA's Solr has a document `lastModification` without a name too."""
    return bool(entry.get("file_name", "").strip() or entry.get("download_link", "").strip())
