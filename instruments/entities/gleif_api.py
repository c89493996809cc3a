"""GLEIF's API (v1, JSON:API): records of LEIs by the page, and everything that the links of a record lead to.

The forms are those of the recorded answers in tests/data/gleif/api. A page has up to 200 records, and 60
requests a minute are accepted.
"""

import dataclasses
import datetime as dt
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from marketdata.common.errors import Refused
from marketdata.services.client import JsonClient, Service, Wait
from marketdata.services.errors import RequestTooLarge, UnreadableAnswer

RECORDS = "/api/v1/lei-records"
PAGE_SIZE = 200
_REQUESTS, _SECONDS = 60, 60
# Pages of one list that are read at most: a service that never ends a list is not followed for ever.
_MOST_PAGES = 1_000
# The relationships of a record that lead to level 2 data; others lead to level 1 or to other subjects.
_LEVEL_2_LINKS = ("relationship-record", "relationship-records", "reporting-exception")
# Level 1 records of entities related to this one. The lists of funds and branches have the same form.
_LEVEL_1_LINKS = ("lei-record", "related")
_OTHER_SUBJECTS = ("managing-lou", "lei-issuer", "field-modifications", "isins")
_TYPES = {
    "lei-records": "LEI2",
    "relationship-records": "RR",
    "reporting-exceptions": "REPEX",
}


@dataclasses.dataclass(frozen=True)
class Answer:
    """Objects of one kind of file (LEI2, RR, REPEX), and the time of the golden copy that they are from."""

    published_at: dt.datetime
    objects: dict[str, list[dict[str, Any]]]


class GleifApi:
    """A session with GLEIF's API, for one thread. All workers share its budget of requests."""

    def __init__(self, *, wait: Wait = time.sleep) -> None:
        headers = {"Accept": "application/vnd.api+json"}
        service = Service("gleif", settings.GLEIF_URL, _REQUESTS, _SECONDS, headers)
        self._client = JsonClient(service, wait=wait)
        self._leis_a_request = PAGE_SIZE

    def __enter__(self) -> "GleifApi":
        self._client.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._client.__exit__(*error)

    def read_records(self, leis: Sequence[str]) -> Answer:
        """Return the level 1 records of LEIs; those that GLEIF does not know are missing.

        Fewer LEIs are asked for at once, from then on, when GLEIF answers that a request is too large.
        Raises the errors of JsonClient.get.
        """
        collected = _Collected()
        done = 0
        while done < len(leis):
            batch = leis[done : done + self._leis_a_request]
            try:
                self._read_pages(RECORDS, collected, {"filter[lei]": ",".join(batch)})
            except RequestTooLarge:
                if len(batch) == 1:
                    raise
                self._leis_a_request = len(batch) // 2
                continue
            done += len(batch)
        return collected.answer()

    def read_links(self, links: Sequence[str]) -> Answer:
        """Return all pages of the lists and objects at the paths of `select_links`.

        What is not there any more (404) is left out. Raises the errors of JsonClient.get.
        """
        collected = _Collected()
        for path in links:
            try:
                self._read_pages(path, collected, {})
            except Refused as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
        return collected.answer()

    def _read_pages(self, path: str, collected: "_Collected", filters: dict[str, str]) -> None:
        number, last = 1, 1
        while number <= last:
            page = {"page[number]": number, "page[size]": PAGE_SIZE}
            answer = self._client.get(path, {**filters, **page})
            last = collected.add(path, answer)
            if last > _MOST_PAGES:
                raise UnreadableAnswer(f"{path}: {last:,} pages, more than {_MOST_PAGES:,}")
            number += 1


def select_links(record: dict[str, Any]) -> list[str]:
    """Return the paths that a level 1 record leads to: its relationships, their entities and exceptions."""
    relationships = record.get("relationships")
    paths: list[str] = []
    for name, relationship in (relationships or {}).items():
        links = relationship.get("links", {}) if isinstance(relationship, dict) else {}
        if name in _OTHER_SUBJECTS or not isinstance(links, dict):
            continue
        for link in (*_LEVEL_2_LINKS, *_LEVEL_1_LINKS):
            path = urlsplit(str(links.get(link) or "")).path
            if path.startswith(f"{RECORDS}/"):  # the host is that of the settings alone
                paths.append(path)
    return paths


@dataclasses.dataclass
class _Collected:
    """The objects of several pages; each object counts once."""

    objects: dict[str, dict[str, dict[str, Any]]] = dataclasses.field(
        default_factory=lambda: {kind: {} for kind in _TYPES.values()}
    )
    published_at: dt.datetime | None = None

    def add(self, path: str, answer: Any) -> int:
        """Add the objects of a page; return the number of pages. Raises UnreadableAnswer."""
        if not isinstance(answer, dict) or "data" not in answer:
            raise UnreadableAnswer(f"{path}: the answer has no data")
        data = answer["data"]
        rows = data if isinstance(data, list) else [data] if data is not None else []
        for row in rows:
            kind = _TYPES.get(row.get("type", "")) if isinstance(row, dict) else None
            if kind is None or not isinstance(row.get("attributes"), dict):
                raise UnreadableAnswer(f"{path}: a row is no record, relationship or exception")
            self.objects[kind][str(row.get("id"))] = row
        meta = answer.get("meta") or {}
        self._note_publication(path, meta)
        pagination = meta.get("pagination") or {}
        last = pagination.get("lastPage", 1)
        if not isinstance(last, int):
            raise UnreadableAnswer(f"{path}: the last page is {last!r}")
        return last

    def _note_publication(self, path: str, meta: Any) -> None:
        text = (meta.get("goldenCopy") or {}).get("publishDate")
        try:
            published_at = parse_datetime(text) if isinstance(text, str) else None
        except ValueError:
            published_at = None
        if published_at is None or timezone.is_naive(published_at):
            raise UnreadableAnswer(f"{path}: the golden copy was published on {text!r}")
        if self.published_at is not None:
            # Pages read while GLEIF publishes: the earlier time holds for all of them.
            published_at = min(published_at, self.published_at)
        self.published_at = published_at

    def answer(self) -> Answer:
        objects = {kind: list(rows.values()) for kind, rows in self.objects.items()}
        return Answer(self.published_at or timezone.now(), objects)
