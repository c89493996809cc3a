"""A client of an outside JSON service: a shared budget, retries, limits of time and size, typed errors.

Only tasks and commands use it; no request to this service ever waits for another one. Headers of requests,
which may hold a key, are never part of an error or a log line, and redirects are not followed, so that a key
goes to the configured host alone.
"""

import dataclasses
import json
import re
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from django.conf import settings

from marketdata.common import http
from marketdata.common.errors import Refused, Unavailable
from marketdata.common.telemetry import Call
from marketdata.services.errors import (
    BudgetSpent,
    KeyRejected,
    RateLimited,
    RequestTooLarge,
    UnreadableAnswer,
)
from marketdata.services.models import RequestBudget

_CONNECT_SECONDS = 10
_MAX_BYTES = 64_000_000
# The pause after a 429 that does not say for how long.
_DEFAULT_PAUSE = 60.0
# Longer pauses end the work; the caller tries again later.
_LONGEST_WAIT = 120.0
_POLICY = re.compile(r"\s*([0-9]+)\s*;\s*w=([0-9]+)")

Wait = Callable[[float], None]


@dataclasses.dataclass(frozen=True)
class Service:
    """An outside service: its address, its limit of requests at first, and the headers of each request."""

    name: str
    url: str
    requests: int
    seconds: int
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)


class JsonClient:
    """A session with a service, for one thread. `wait` pauses for a number of seconds."""

    def __init__(self, service: Service, *, wait: Wait = time.sleep) -> None:
        self.service = service
        self._session = http.new_session()
        self._wait = wait

    def __enter__(self) -> "JsonClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._session.close()

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """Return the JSON at a path. Raises as `post`."""
        target = f"{path}?{urlencode(params)}" if params else path
        return self._request("GET", target, None)

    def post(self, path: str, body: Any) -> Any:
        """Send a body as JSON and return the JSON of the answer, after retries if necessary.

        Raises RateLimited, UnreadableAnswer, Unavailable, BudgetSpent (to be tried again later),
        KeyRejected, RequestTooLarge, Refused.
        """
        return self._request("POST", path, json.dumps(body).encode())

    def _request(self, method: str, path: str, body: bytes | None) -> Any:
        for attempt in http.retried():
            with attempt:
                self._take_turn()
                return self._send(method, f"{self.service.url}{path}", body)
        raise AssertionError("the last attempt raises its error")  # pragma: no cover

    def _take_turn(self) -> None:
        """Wait until the budget has a request for us. Raises BudgetSpent if that takes too long."""
        service = self.service
        waited = 0.0
        while seconds := RequestBudget.objects.claim(
            service.name, requests=service.requests, seconds=service.seconds
        ):
            if waited + seconds > _LONGEST_WAIT:
                raise BudgetSpent(service.name, wait_seconds=seconds)
            self._wait(seconds)
            waited += seconds

    def _send(self, method: str, url: str, body: bytes | None) -> Any:
        headers = {"Accept": "application/json", **self.service.headers}
        if body is not None:
            headers["Content-Type"] = "application/json"
        host = urlsplit(url).netloc
        address = url.partition("?")[0]  # a query may have hundreds of codes
        with (
            http.translated(address),
            Call("http", host, method),
            self._session.request(
                method,
                url,
                data=body,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(_CONNECT_SECONDS, settings.HTTP_TIMEOUT_SECONDS),
            ) as response,
        ):
            self._note_budget(response)
            self._check_status(response, address)
            content = _read(response, address)
        try:
            return json.loads(content)
        except ValueError as error:
            raise UnreadableAnswer(f"{address}: the answer is not JSON ({error})") from None

    def _note_budget(self, response: requests.Response) -> None:
        policy = _POLICY.match(response.headers.get("ratelimit-policy", ""))
        RequestBudget.objects.correct(
            self.service.name,
            requests=int(policy[1]) if policy else None,
            window_seconds=int(policy[2]) if policy else None,
            remaining=_number(response, "ratelimit-remaining"),
            reset_seconds=_number(response, "ratelimit-reset"),
        )

    def _check_status(self, response: requests.Response, url: str) -> None:
        status = response.status_code
        reason = f"{url}: HTTP {status}"
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            seconds = http.retry_after(response) or _DEFAULT_PAUSE
            RequestBudget.objects.pause(self.service.name, seconds=seconds)
            raise RateLimited(reason)
        if status in http.TEMPORARY:
            raise Unavailable(reason, retry_after=http.retry_after(response))
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise KeyRejected(f"{reason}: check the key in the settings", status=status)
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise RequestTooLarge(reason, status=status)
        if status != HTTPStatus.OK:
            raise Refused(reason, status=status)


def _read(response: requests.Response, url: str) -> bytes:
    """Return the body. Raises UnreadableAnswer if it is too large, Unavailable if it takes too long."""
    body = bytearray()
    deadline = time.monotonic() + 2 * settings.HTTP_TIMEOUT_SECONDS
    for chunk in response.iter_content(1 << 16):
        body += chunk
        if len(body) > _MAX_BYTES:
            raise UnreadableAnswer(f"{url}: the answer has more than {_MAX_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise Unavailable(f"{url}: the answer takes too long")
    return bytes(body)


def _number(response: requests.Response, header: str) -> int | None:
    text = response.headers.get(header, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
