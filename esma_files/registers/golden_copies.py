"""GLEIF's list of golden copies and deltas, by its API (version 2): JSON, the newest publication first.

Each publication has the files of all subjects (`lei2`, `rr`, `repex`): `full_file` with all records, and
`delta_files` of several periods; each as XML, CSV and JSON, with its address. There are three publications a
day. Of these, the deltas of a day (`LastDay`) of the first publication of each day are listed, and the golden
copies of the first publication of each month: together they are complete, and a year of them fits a disk.
"""

import datetime as dt
import json
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from esma_files.datasets import Dataset
from esma_files.errors import UnknownAnswer
from esma_files.kinds import FileKind
from esma_files.registers.answers import Entry
from esma_files.registers.entry import PublishedFile, UnusableEntry, read_files
from marketdata.common import http

# A publication takes some 20 KB.
_MAX_ANSWER_BYTES = 50_000_000
_DELTA = "LastDay"


def read_list(
    dataset: str, since: dt.date, until: dt.date, *, kinds: Collection[FileKind]
) -> tuple[list[PublishedFile], list[UnusableEntry]]:
    """Return the files of these days, both included, oldest first, and entries with invalid values.

    Raises Unavailable (after retries), Refused, UnknownAnswer.
    """
    subject = Dataset(dataset).publication.core
    entries = _read_entries(settings.GLEIF_GOLDEN_COPY_URL, subject)
    files, unusable = read_files(entries, dataset=dataset, kinds=kinds)
    files.sort(key=lambda file: file.name.stem)
    selected = _first_of_periods(files)
    return [file for file in selected if since <= file.name.published_on <= until], unusable


def _first_of_periods(files: list[PublishedFile]) -> list[PublishedFile]:
    """Return the first golden copy of each month, and the first delta of each day."""
    first: dict[tuple[str, str], PublishedFile] = {}
    for file in files:
        day = file.name.published_on
        period = f"{day:%Y-%m}" if file.name.kind.is_full else f"{day}"
        first.setdefault((file.name.kind.code, period), file)
    return list(first.values())


def _read_entries(url: str, subject: str) -> Iterator[Entry]:
    host = urlsplit(url).netloc
    hosts = [f"http://{host}" if url.startswith("http://") else host]
    body = http.read(url, hosts=hosts, max_bytes=_MAX_ANSWER_BYTES)
    try:
        publications = json.loads(body)["data"]
        for publication in publications:
            yield from _entries_of(publication[subject])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UnknownAnswer(f"{url}: no list of golden copies in the answer ({reason})") from error


def _entries_of(files: dict[str, Any]) -> Iterator[Entry]:
    """Yield the entries of one subject of a publication; one without a delta has none."""
    delta = (files.get("delta_files") or {}).get(_DELTA)
    for formats in (files["full_file"], delta):
        if formats:
            address = str(formats["xml"]["url"])
            name = urlsplit(address).path.rpartition("/")[2]
            yield {"file_name": name, "download_link": address}
