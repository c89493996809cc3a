"""GLEIF's API on loopback: its recorded answers, in pages, and the troubles of tests/register.py."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.register import FakeRegister

RECORDS = "/api/v1/lei-records"
SHELL, PUMA, BLOOMBERG = "21380068P1DRHMJ8KU70", "529900GRZ2BQY5ZM9N49", "5493001KJTIIGC8Y1R12"
NORDIC, COMMERZBANK = "549300O897ZC5H7CY412", "851WYGNLUQLFZBSYGB56"
_FOLDER = Path(__file__).parent / "data" / "gleif" / "api"


def recorded(name: str) -> Any:
    """A recorded answer."""
    return json.loads((_FOLDER / f"{name}.json").read_text())


class FakeGleif(FakeRegister):
    """Answers with the recorded records, relationships and exceptions, `most_rows` a page at most.

    `published_at` is the time of the golden copy that it answers from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, Any] = {row["id"]: row for row in recorded("lei-records")["data"]}
        self.missing: set[str] = set()  # paths below an LEI that are not there any more
        self.most_rows = 200
        self.published_at = "2025-05-15T00:00:00Z"

    def answer(self, target: str) -> bytes | None:
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == RECORDS:
            leis = query["filter[lei]"].split(",")
            return self._page([self.records[lei] for lei in leis if lei in self.records], query)
        path = url.path.removeprefix(f"{RECORDS}/")
        if path in self.missing or not (_FOLDER / f"{path}.json").is_file():
            return None
        data = recorded(path)["data"]
        if isinstance(data, list):
            return self._page(data, query)
        return self._encode({"meta": {}, "data": data})

    def _page(self, rows: list[Any], query: dict[str, str]) -> bytes:
        size = min(int(query["page[size]"]), self.most_rows)
        number = int(query["page[number]"])
        last = max(1, -(-len(rows) // size))
        pagination = {"currentPage": number, "perPage": size, "total": len(rows), "lastPage": last}
        page = rows[(number - 1) * size : number * size]
        return self._encode({"meta": {"pagination": pagination}, "data": page})

    def _encode(self, answer: dict[str, Any]) -> bytes:
        answer["meta"]["goldenCopy"] = {"publishDate": self.published_at}
        return json.dumps(answer).encode()
