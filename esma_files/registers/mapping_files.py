"""GLEIF's newest ISIN-LEI or BIC-LEI file, by its mapping API (version 2): JSON:API, one file.

GLEIF publishes a file of ISINs a day and one of BICs a month, and keeps all of them. Each has all pairs, so
only the newest is listed. Its name is in `fileName` and its address in `downloadLink`, which does not end
with the name.
"""

import datetime as dt
import json
from urllib.parse import urlsplit

from django.conf import settings

from esma_files.datasets import Dataset
from esma_files.errors import UnknownAnswer
from esma_files.registers.answers import Entry
from esma_files.registers.entry import PublishedFile, UnusableEntry
from marketdata.common import http

_MAX_ANSWER_BYTES = 1_000_000


def read_newest(
    dataset: Dataset, since: dt.date, until: dt.date
) -> tuple[list[PublishedFile], list[UnusableEntry]]:
    """Return the newest file of a dataset if it was published in these days, or its entry if it is invalid.

    Raises Unavailable (after retries), Refused, UnknownAnswer.
    """
    try:
        entry = _read_entry(getattr(settings, dataset.publication.url_setting))
        file = PublishedFile.from_entry(entry, dataset=dataset)
    except UnusableEntry as error:
        return [], [error]
    return [file] if since <= file.name.published_on <= until else [], []


def _read_entry(url: str) -> Entry:
    host = urlsplit(url).netloc
    hosts = [f"http://{host}" if url.startswith("http://") else host]
    body = http.read(url, hosts=hosts, max_bytes=_MAX_ANSWER_BYTES)
    try:
        resource = json.loads(body)["data"]
        attributes = resource["attributes"]
        return {
            "file_name": str(attributes["fileName"]),
            "download_link": str(attributes["downloadLink"]),
            "id": str(resource.get("id", "")),
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UnknownAnswer(f"{url}: no file in the answer ({reason})") from error
