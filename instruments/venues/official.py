"""Fetching the list from where ISO publishes it: over https, from hosts that are allowed, and no more
bytes than a list can have.
"""

import time
from collections.abc import Collection
from urllib.parse import urljoin, urlsplit

import httpx
import stamina

from instruments.venues.errors import UnsafeAddress, VenueListRefused, VenueListUnavailable

_TIMEOUT = httpx.Timeout(30, connect=10)
_REDIRECTS = 3
_LONGEST = 120  # seconds for one answer, however it trickles
_BUSY = {408, 425, 429, 500, 502, 503, 504}


def fetch(url: str, *, hosts: Collection[str], max_bytes: int) -> bytes:
    """The list at `url`; a redirect is followed to `hosts` only.

    A server that is busy is asked again, four times in a minute. Raises UnsafeAddress,
    VenueListRefused, VenueListUnavailable.
    """
    with httpx.Client(timeout=_TIMEOUT) as client:
        for attempt in stamina.retry_context(on=VenueListUnavailable, attempts=4, timeout=60):
            with attempt:
                return _followed(client, url, hosts, max_bytes)
    raise VenueListUnavailable(f"{url}: gave up")


def _followed(client: httpx.Client, url: str, hosts: Collection[str], max_bytes: int) -> bytes:
    for _ in range(_REDIRECTS + 1):
        _check(url, hosts)
        try:
            with client.stream("GET", url) as response:
                if response.has_redirect_location:
                    url = urljoin(url, response.headers["location"])
                    continue
                return _body(response, url, max_bytes)
        except httpx.TransportError as error:
            raise VenueListUnavailable(f"{url}: {error or type(error).__name__}") from error
    raise VenueListRefused(f"{url}: more than {_REDIRECTS} redirects")


def _check(url: str, hosts: Collection[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https":
        raise UnsafeAddress(f"{url}: only https is used")
    if parts.hostname not in hosts:
        raise UnsafeAddress(f"{url}: the list is fetched from {', '.join(sorted(hosts))} only")


def _body(response: httpx.Response, url: str, max_bytes: int) -> bytes:
    if response.status_code in _BUSY:
        raise VenueListUnavailable(f"{url}: the server answered {response.status_code}")
    if response.status_code != httpx.codes.OK:
        raise VenueListRefused(f"{url}: the server answered {response.status_code}")
    body, until = bytearray(), time.monotonic() + _LONGEST
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > max_bytes:
            raise VenueListRefused(f"{url}: larger than {max_bytes:,} bytes")
        if time.monotonic() > until:
            raise VenueListUnavailable(f"{url}: not all there after {_LONGEST} seconds")
    return bytes(body)
