"""OpenFIGI on loopback: its recorded answers, its limits, and the troubles of tests/register.py."""

import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.register import FakeRegister

PATH = "/v3/mapping"
IBM = "US4592001014"
_FOLDER = Path(__file__).parent / "data" / "openfigi"
NO_MATCH: dict[str, Any] = {"warning": "No identifier found."}


def recorded(name: str) -> Any:
    """The body of a recorded answer to a mapping request."""
    return json.loads((_FOLDER / "mapping" / f"{name}.json").read_text())


def recorded_response(name: str) -> dict[str, Any]:
    """A recorded response: `status`, `headers`, and `bodyText` or `bodyJson`."""
    exchange = json.loads((_FOLDER / "http" / f"{name}.json").read_text())
    response: dict[str, Any] = exchange["response"]
    return response


class FakeOpenFigi(FakeRegister):
    """Answers mapping jobs from `results` by ISIN: 413 above `most_jobs`, 429 when `limit` is used up.

    `asked_jobs` has the jobs of each request that was answered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.results: dict[str, Any] = {IBM: recorded("isin_example")[0]}
        self.key = ""
        self.most_jobs = 100
        self.limit = math.inf
        self.retry_after = "1"
        self.asked_jobs: list[list[dict[str, str]]] = []
        self._number = itertools.count(1)

    def answer_post(
        self, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        if path != PATH:
            response = recorded_response("404")
            return response["status"], response["bodyText"].encode(), {"Content-Type": "text/html"}
        if headers.get("X-OPENFIGI-APIKEY", "") not in ("", self.key):
            response = recorded_response("mapping_a")
            return response["status"], response["bodyText"].encode(), {"Content-Type": "text/html"}
        jobs = json.loads(body)
        if len(jobs) > self.most_jobs:
            return 413, b"Request entity too large", {}
        if next(self._number) > self.limit:
            self.limit = math.inf
            return 429, b"Too many requests", {"Retry-After": self.retry_after}
        self.asked_jobs.append(jobs)
        results = [self._result(job) for job in jobs]
        names = ("ratelimit-limit", "ratelimit-policy", "ratelimit-remaining", "ratelimit-reset")
        recorded_headers = recorded_response("mapping_b")["headers"]
        limits = {name: str(recorded_headers[name]) for name in names}
        return 200, json.dumps(results).encode(), limits

    def _result(self, job: dict[str, str]) -> Any:
        if job["idType"] != "ID_ISIN":
            return {"error": "Invalid value for idType."}
        result = self.results.get(job["idValue"], NO_MATCH)
        if "micCode" in job and "data" in result:
            rows = [row for row in result["data"] if row["exchCode"] == _CODES[job["micCode"]]]
            return {"data": rows} if rows else NO_MATCH
        return result


_CODES = {"XETR": "GY", "XFRA": "GF"}
