"""HTTP requests: the only module that handles the errors of `requests`, and the list of allowed addresses."""

import datetime as dt
import email.utils
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urljoin, urlsplit

import requests
import stamina
import stamina.instrumentation
from django.conf import settings
from django.utils import timezone

from marketdata.common.errors import ForbiddenAddress, Refused, Unavailable
from marketdata.common.telemetry import Call

logger = logging.getLogger(__name__)

_CONNECT_SECONDS = 10
TEMPORARY = {408, 425, 429, *range(500, 600)}
_REDIRECTS = {301, 302, 303, 307, 308}
_MAX_REDIRECTS = 3
_LONGEST_WAIT = 60.0


def new_session() -> requests.Session:
    """Return a session with our user agent. It must not be shared by threads."""
    session = requests.Session()
    session.headers["User-Agent"] = settings.HTTP_USER_AGENT
    return session


@contextmanager
def answer(
    session: requests.Session,
    url: str,
    *,
    hosts: list[str],
    params: Mapping[str, str | int] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[requests.Response]:
    """GET `url`, without reading its body; redirects are followed on `hosts` only.

    Raises Unavailable, Refused, ForbiddenAddress, also while the body is read in the context.
    """
    with translated(url):
        response = _get(session, allowed(url, hosts=hosts), params=params, headers=headers)
        for _ in range(_MAX_REDIRECTS):
            if response.status_code not in _REDIRECTS:
                break
            response.close()
            target = urljoin(response.url, response.headers.get("Location", ""))
            response = _get(session, allowed(target, hosts=hosts), headers=headers)
        with response:
            _check_status(response)
            yield response


def read(
    url: str,
    *,
    hosts: list[str],
    max_bytes: int,
    params: Mapping[str, str | int] | None = None,
    session: requests.Session | None = None,
) -> bytes:
    """Return the body at `url`, after retries if necessary. Raises Refused also where it is too large."""
    own_session = session or new_session()
    try:
        for attempt in retried():
            with attempt, answer(own_session, url, hosts=hosts, params=params) as response:
                body = bytearray()
                for chunk in response.iter_content(1 << 16):
                    body += chunk
                    if len(body) > max_bytes:
                        reason = f"{url}: larger than {max_bytes:,} bytes"
                        raise Refused(reason, status=response.status_code)
    finally:
        if session is None:
            own_session.close()
    return bytes(body)


def _get(
    session: requests.Session,
    url: str,
    *,
    params: Mapping[str, str | int] | None = None,
    headers: Mapping[str, str] | None = None,
) -> requests.Response:
    timeout = (_CONNECT_SECONDS, settings.HTTP_TIMEOUT_SECONDS)
    with Call("http", urlsplit(url).netloc, "GET"):
        return session.get(
            url, params=params, headers=headers, stream=True, allow_redirects=False, timeout=timeout
        )


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Translate the errors of `requests` into ours, which tell whether a later attempt may succeed."""
    try:
        yield
    except requests.RequestException as error:
        raise Unavailable(f"{url}: {_reason(error)}") from error


def _reason(error: requests.RequestException) -> str:
    """Return the innermost reason, without the layers of the library, in one line."""
    cause: object = error.args[0] if error.args else error
    reason = getattr(cause, "reason", None) or cause
    return f"{type(error).__name__}: {reason}".partition("\n")[0]


def log_retry(details: stamina.instrumentation.RetryDetails) -> None:
    """Log a retry; stamina calls this before each pause."""
    logger.warning("%s; next attempt in %.1f s", details.caused_by, details.wait_for)


def retried() -> Iterable[stamina.Attempt]:
    """Return attempts at something that may be Unavailable. The pause doubles, with jitter, up to a minute.

    A longer pause that a server asks for is respected, up to a minute too.
    """
    return stamina.retry_context(
        on=_pause_after,
        attempts=settings.HTTP_ATTEMPTS,
        timeout=None,
        wait_initial=0.5,
        wait_max=_LONGEST_WAIT,
        wait_jitter=0.5,
    )


def _pause_after(error: Exception) -> bool | float:
    if not isinstance(error, Unavailable):
        return False
    return True if not error.retry_after else min(error.retry_after, _LONGEST_WAIT)


def allowed(url: str, *, hosts: list[str]) -> str:
    """Return the address to request for `url`: https on a listed host, http where the list has `http://host`.

    Raises ForbiddenAddress.
    """
    parts = urlsplit(url)
    if parts.scheme in ("http", "https") and "@" not in parts.netloc:
        if f"http://{parts.netloc}" in hosts:
            return parts._replace(scheme="http").geturl()
        if parts.netloc in hosts:
            return parts._replace(scheme="https").geturl()
    host = parts.netloc or "an address without a host"
    raise ForbiddenAddress(f"{url}: {host} is not one of the hosts in DOWNLOAD_HOSTS")


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if status in TEMPORARY:
        wait = retry_after(response)
        raise Unavailable(f"{response.url}: HTTP {status}", retry_after=wait)
    if not response.ok or status in _REDIRECTS:
        raise Refused(f"{response.url}: HTTP {status}", status=status)


def retry_after(response: requests.Response) -> float | None:
    """Return the seconds of the Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "")
    if value.isdigit():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.UTC)
    return max(0.0, (until - timezone.now()).total_seconds())
