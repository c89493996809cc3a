"""Asking a register, page by page.

ESMA: Solr, one core for each dataset, as
`CORE/select?q=*&fq=publication_date:[2025-08-30T00:00:00Z TO 2025-08-30T23:59:59Z]&wt=json&start=0&rows=9`.
FCA: Elasticsearch style, as
`?q=((file_type:FULINS) AND (publication_date:[2025-08-30 TO 2025-08-30]))&from=0&size=100`.
"""

import dataclasses
import datetime as dt
from collections.abc import Collection

import requests
from django.conf import settings

from esma_files import http
from esma_files.datasets import KINDS, Dataset
from esma_files.errors import RegisterChanged
from esma_files.names import Kind
from esma_files.registers import answers
from esma_files.registers.answers import Entry
from esma_files.registers.entry import BadEntry, PublishedFile

# Core, and the field with the day of publication.
_CORES = {
    Dataset.ESMA_FIRDS: ("esma_registers_firds_files", "publication_date"),
    Dataset.ESMA_FITRS: ("esma_registers_fitrs_files", "creation_date"),
    Dataset.ESMA_DVCAP: ("esma_registers_dvcap_files", "creation_date"),
}
# Files are listed by day: a page of them is some 100 KB.
_MAX_ANSWER_BYTES = 50_000_000


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a register lists for some days: files, oldest first, and entries that cannot be read."""

    files: list[PublishedFile]
    bad: list[BadEntry]


def published(
    dataset: str, since: dt.date, until: dt.date, *, kinds: Collection[str] = ()
) -> Listing:
    """Every file published from `since` to `until`, both included; all kinds unless some are named.

    Raises Unavailable (after retries), Refused, UnknownAnswer, RegisterChanged.
    """
    wanted = [kind for kind in KINDS[dataset] if not kinds or kind in kinds]
    if not wanted:
        return Listing([], [])
    with http.new_session() as session:
        entries = _pages(session, dataset, since, until, wanted)
    files, bad = [], []
    for entry in entries:
        try:
            file = PublishedFile.of(entry, dataset=dataset)
        except BadEntry as error:
            bad.append(error)
            continue
        if file.name.kind in wanted:
            files.append(file)
    return Listing(sorted(files, key=lambda file: (file.name, file.register_id)), bad)


def _pages(
    session: requests.Session, dataset: str, since: dt.date, until: dt.date, kinds: list[Kind]
) -> list[Entry]:
    """All entries of all pages, each once."""
    entries: dict[tuple[str, ...], Entry] = {}
    start = 0
    while True:
        url, params = _question(dataset, since, until, kinds, start)
        total, page = _page(session, url, params)
        for entry in page:
            entries[tuple(entry.get(name, "") for name in ("id", "file_name", "checksum"))] = entry
        start += len(page)
        if start >= total or not page:
            break
    if len(entries) != total:
        raise RegisterChanged(f"{url}: {total} entries are announced, {len(entries)} came")
    return list(entries.values())


def _question(
    dataset: str, since: dt.date, until: dt.date, kinds: list[Kind], start: int
) -> tuple[str, dict[str, str | int]]:
    size = settings.REGISTER_PAGE_SIZE
    if dataset == Dataset.FCA_FIRDS:
        which = " OR ".join(f"file_type:{kind}" for kind in kinds)
        query = f"(({which}) AND (publication_date:[{since} TO {until}]))"
        return settings.FCA_REGISTER_URL, {"q": query, "from": start, "size": size}
    core, date = _CORES[Dataset(dataset)]
    return f"{settings.ESMA_REGISTER_URL}/{core}/select", {
        "q": "*",
        "fq": f"{date}:[{since}T00:00:00Z TO {until}T23:59:59Z]",
        "sort": f"{date} asc,id asc",
        "wt": "json",
        "start": start,
        "rows": size,
    }


def _page(
    session: requests.Session, url: str, params: dict[str, str | int]
) -> tuple[int, list[Entry]]:
    host = url.split("/")[2]
    hosts = [f"http://{host}" if url.startswith("http://") else host]
    body = http.read(url, hosts=hosts, max_bytes=_MAX_ANSWER_BYTES, params=params, session=session)
    return answers.read(body, url=url)
