"""One entry of a register, trusted only after it has been looked at."""

import dataclasses
import re
from urllib.parse import urlsplit

from django.conf import settings

from esma_files import http
from esma_files.datasets import KINDS
from esma_files.errors import BadFileName, ForbiddenAddress
from esma_files.names import FileName
from esma_files.registers.answers import Entry
from marketdata.common.errors import PermanentError

_MD5 = re.compile("[0-9a-f]{32}")


class BadEntry(PermanentError):
    """An entry that cannot be what it says; the others of its register can."""


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """A file as the register lists it; `md5` is "" where the register gives none."""

    dataset: str
    name: FileName
    url: str
    md5: str
    register_id: str

    @classmethod
    def of(cls, entry: Entry, *, dataset: str) -> "PublishedFile":
        """Raises BadEntry."""
        said = entry.get("file_name", "")
        try:
            name = FileName.parse(said)
            url = http.allowed(entry.get("download_link", ""), hosts=settings.DOWNLOAD_HOSTS)
        except (BadFileName, ForbiddenAddress) as error:
            raise BadEntry(str(error)) from error
        if name.kind not in KINDS[dataset]:
            raise BadEntry(f"{said}: {dataset} has no files of the kind {name.kind}")
        if urlsplit(url).path.rpartition("/")[2] not in (said, f"{name.stem}.zip"):
            raise BadEntry(f"{said}: its link is that of another file, {url}")
        md5 = entry.get("checksum", "").strip().lower()
        if md5 and not _MD5.fullmatch(md5):
            raise BadEntry(f"{said}: {md5[:50]!r} is no MD5")
        return cls(dataset, name, url, md5, entry.get("id", "")[:50])
