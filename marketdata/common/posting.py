"""POST to an address that a user has named: only https to public addresses, no redirects, one time limit.

The name is resolved once, every address is checked, and the connection goes to a checked address, so that an
answer of DNS that changes in between reaches nothing else. Proxies of the environment are not used.
"""

import contextlib
import dataclasses
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from http.client import HTTPException
from urllib.parse import SplitResult, urlsplit

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from marketdata.common.errors import ForbiddenAddress, InvalidQuery, Unavailable

_SECONDS = 10  # for the whole request; up to twice as many if opening the connection takes them all
# Addresses of IPv6 that are handed out for the public internet. What else there is belongs to old or private
# uses, some of which lead to addresses of IPv4, which are not checked there, as two of these networks do.
_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
_TRANSLATED = [ipaddress.ip_network(text) for text in ("2002::/16", "2001::/32")]
# Azure's own server, which answers each machine in it and nobody else.
_AZURE_PLATFORM = ipaddress.ip_address("168.63.129.16")


@dataclasses.dataclass(frozen=True)
class _Target:
    scheme: str
    host: str
    port: int
    path: str


def check_address(url: str, *, allow_private: bool) -> _Target:
    """Check the form of an address without resolving its name. Raises InvalidQuery.

    `allow_private` permits http, any port and, when something is sent, private addresses.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise InvalidQuery("url", f"{url[:200]!r} is not an address.") from error
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise InvalidQuery("url", f"{url[:200]!r} does not begin with https://.")
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        raise InvalidQuery(
            "url", f"{url[:200]!r} has no host, or a user, a password or a fragment."
        )
    if not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidQuery("url", f"{url[:200]!r} has characters that must be encoded.")
    if port != 443 and not allow_private:
        raise InvalidQuery("url", f"The port {port} is not that of https, 443.")
    return _Target(parts.scheme, parts.hostname, port, _get_path(parts))


def check_new_address(url: str, *, allow_private: bool) -> None:
    """Check an address that somebody gives: a private one is refused at once. Raises InvalidQuery.

    The address of a name is checked when something is sent, since it may change.
    """
    host = check_address(url, allow_private=allow_private).host
    if not allow_private and _is_private(host):
        raise InvalidQuery("url", f"{host} is not a public address.")


def _is_private(host: str) -> bool:
    """Return True for an IP address that is not public, in any form that the system reads, and localhost."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        entries = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False  # a name
    return not all(is_public(str(entry[4][0])) for entry in entries)


def _get_path(parts: SplitResult) -> str:
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.path or '/'}{query}"


def post(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    allow_private: bool = False,
    seconds: float = _SECONDS,
) -> int:
    """Return the status of the answer, whose body is not read.

    Raises InvalidQuery, ForbiddenAddress (not public), Unavailable (no answer in time).
    """
    target = check_address(url, allow_private=allow_private)
    address = _resolve(target, allow_private=allow_private)
    end = time.monotonic() + seconds
    connection = _make_connection(target, address, seconds)
    limit = None
    try:
        connection.connect()  # which nothing breaks off: it has limits of its own
        limit = threading.Timer(end - time.monotonic(), _break_off, args=[connection])
        limit.start()
        host = target.host if target.port in (80, 443) else f"{target.host}:{target.port}"
        connection.request("POST", target.path, body=body, headers={**headers, "Host": host})
        return connection.getresponse().status
    except (OSError, HTTPError, HTTPException, ValueError) as error:
        raise Unavailable(f"{target.host}: {type(error).__name__}: {error}"[:300]) from error
    finally:
        if limit is not None:
            limit.cancel()
        connection.close()


def _resolve(target: _Target, *, allow_private: bool) -> str:
    try:
        entries = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"{target.host}: the name is not known.") from error
    addresses = [str(entry[4][0]) for entry in entries]
    for address in addresses:
        if not allow_private and not is_public(address):
            raise ForbiddenAddress(f"{target.host} is at {address}, which is not public.")
    return addresses[0]


def is_public(address: str) -> bool:
    """Return True for an IP address of the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip not in _PUBLIC_IPV6 or any(ip in network for network in _TRANSLATED):
            return False
    return ip.is_global and not ip.is_multicast and ip != _AZURE_PLATFORM


def _make_connection(target: _Target, address: str, seconds: float) -> HTTPConnection:
    """Return a connection that is not open yet. TCP and TLS may each take so many seconds to open it."""
    if target.scheme == "http":
        return HTTPConnection(address, target.port, timeout=seconds)
    context = ssl.create_default_context(cafile=_get_trusted_roots())
    return HTTPSConnection(
        address,
        target.port,
        timeout=seconds,
        ssl_context=context,
        server_hostname=target.host,
        assert_hostname=target.host,
    )


def _get_trusted_roots() -> str:
    """Return the file of trusted certificates: as for `requests`, that of REQUESTS_CA_BUNDLE, if set."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where()


def _break_off(connection: HTTPConnection) -> None:
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
