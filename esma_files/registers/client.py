"""Questions to a register, answered page by page; GLEIF's by `golden_copies.py` and `mapping_files.py`.

ESMA: Solr, one core per dataset, as
`CORE/select?q=*&fq=publication_date:[2025-08-30T00:00:00Z TO 2025-08-30T23:59:59Z]&wt=json&start=0&rows=9`.
FCA: the query parameters of Elasticsearch, one index per dataset, as
`INDEX?q=((file_type:FULINS) AND (publication_date:[2025-08-30 TO 2025-08-30]))&from=0&size=100`.
"""

import dataclasses
import datetime as dt
import logging
from collections.abc import Collection

import requests
from django.conf import settings

from esma_files.datasets import MAPPINGS, Dataset, Publication
from esma_files.errors import RegisterChanged
from esma_files.kinds import FileKind, kinds_of
from esma_files.registers import answers, golden_copies, mapping_files
from esma_files.registers.answers import Entry
from esma_files.registers.entry import PublishedFile, UnusableEntry, is_file, read_files
from marketdata.common import http
from marketdata.common.errors import MarketDataError

logger = logging.getLogger(__name__)

# A page of entries takes some 100 KB.
_MAX_ANSWER_BYTES = 50_000_000
# Both registers began later.
_FIRST_DAY = dt.date(2017, 1, 1)


@dataclasses.dataclass(frozen=True)
class RegisterEntries:
    """The entries of a register for some days: files, oldest first, and entries with invalid values."""

    files: list[PublishedFile]
    unusable: list[UnusableEntry]


@dataclasses.dataclass(frozen=True)
class _Question:
    """Entries of these kinds for these days, both included; sorted, so that pages fit together."""

    dataset: Dataset
    since: dt.date
    until: dt.date
    kinds: list[FileKind]

    def address(self) -> str:
        publication = self.dataset.publication
        base: str = getattr(settings, publication.url_setting)
        return f"{base}/{publication.core}/select" if publication.core else base

    def parameters(self, *, start: int, size: int) -> dict[str, str | int]:
        publication = self.dataset.publication
        if publication.core:
            return self._solr(publication, start, size)
        return self._elasticsearch(publication, start, size)

    def _solr(self, publication: Publication, start: int, size: int) -> dict[str, str | int]:
        day = publication.day_field
        return {
            "q": "*",
            "fq": f"{day}:[{self.since}T00:00:00Z TO {self.until}T23:59:59Z]",
            "sort": f"{day} asc,id asc",
            "wt": "json",
            "start": start,
            "rows": size,
        }

    def _elasticsearch(
        self, publication: Publication, start: int, size: int
    ) -> dict[str, str | int]:
        types = [kind.code for kind in self.kinds]
        if self.dataset == Dataset.FCA_FITRS:  # ESMA's list of the same files knows only these two
            types += ["Full", "Delta"]
        any_type = " OR ".join(f"file_type:{type_}" for type_ in types)
        days = f"{publication.day_field}:[{self.since} TO {self.until}]"
        return {
            "q": f"(({any_type}) AND ({days}))",
            "sort": "file_name:asc",
            "from": start,
            "size": size,
        }


def published(
    dataset: str, since: dt.date, until: dt.date, *, kinds: Collection[str] = ()
) -> RegisterEntries:
    """Return every file published from `since` to `until`, both included; of all kinds unless some are named.

    Raises Unavailable (after retries), Refused, UnknownAnswer, RegisterChanged.
    """
    asked_kinds = [kind for kind in kinds_of(dataset) if not kinds or kind.code in kinds]
    if not asked_kinds:
        return RegisterEntries([], [])
    if dataset in MAPPINGS:
        return RegisterEntries(*mapping_files.read_newest(Dataset(dataset), since, until))
    if Dataset(dataset).authority == "GLEIF":
        return RegisterEntries(*golden_copies.read_list(dataset, since, until, kinds=asked_kinds))
    question = _Question(Dataset(dataset), since, until, asked_kinds)
    with http.new_session() as session:
        entries = _read_pages(session, question)
    files, unusable = read_files(filter(is_file, entries), dataset=dataset, kinds=asked_kinds)
    files.sort(key=lambda file: (file.name, file.register_id))
    return RegisterEntries(files, unusable)


def oldest_delta(kind: FileKind, dataset: str, *, until: dt.date) -> dt.date | None:
    """Return the day of the oldest delta of this kind in the register; None where it gives no answer."""
    if Dataset(dataset).authority == "GLEIF":
        return _oldest_golden_copy(kind, dataset, until=until)
    question = _Question(Dataset(dataset), _FIRST_DAY, until, [kind])
    parameters = question.parameters(start=0, size=1)
    if question.dataset.publication.core:
        parameters["q"] = f"file_name:{kind.code}*"
    else:
        parameters["sort"] = f"{question.dataset.publication.day_field}:asc"
    try:
        with http.new_session() as session:
            _, entries = _read_page(session, question.address(), parameters)
        files = [PublishedFile.from_entry(e, dataset=dataset) for e in entries if is_file(e)]
    except MarketDataError as error:
        logger.warning("The oldest %s of %s is not known: %s", kind, dataset, error)
        return None
    days = [file.name.published_on for file in files if file.name.kind == kind]
    return min(days, default=None)


def _oldest_golden_copy(kind: FileKind, dataset: str, *, until: dt.date) -> dt.date | None:
    try:
        files, _ = golden_copies.read_list(dataset, _FIRST_DAY, until, kinds=[kind])
    except MarketDataError as error:
        logger.warning("The oldest %s of %s is not known: %s", kind, dataset, error)
        return None
    return min((file.name.published_on for file in files), default=None)


def _read_pages(session: requests.Session, question: _Question) -> list[Entry]:
    """Return the entries of all pages, each once."""
    entries: dict[tuple[str, ...], Entry] = {}
    url, start = question.address(), 0
    while True:
        parameters = question.parameters(start=start, size=settings.REGISTER_PAGE_SIZE)
        total, page = _read_page(session, url, parameters)
        for entry in page:
            entries[tuple(entry.get(name, "") for name in ("id", "file_name", "checksum"))] = entry
        start += len(page)
        if start >= total or not page:
            break
    if len(entries) != total:
        raise RegisterChanged(f"{url}: it announced {total} entries and returned {len(entries)}")
    return list(entries.values())


def _read_page(
    session: requests.Session, url: str, parameters: dict[str, str | int]
) -> tuple[int, list[Entry]]:
    host = url.split("/")[2]
    hosts = [f"http://{host}" if url.startswith("http://") else host]
    body = http.read(
        url, hosts=hosts, max_bytes=_MAX_ANSWER_BYTES, params=parameters, session=session
    )
    return answers.read(body, url=url)
