"""The network address of a client, and whether it may make sensitive requests."""

import functools
import ipaddress
import re

from django.conf import settings
from django.http import HttpRequest

# Some proxies (Azure's among them) add the port.
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+")
_IPV6_CLIENT_BITS = 64  # a provider gives each customer at least such a network
# Each request needs its network a few times, and most clients ask again.
_REMEMBERED_ADDRESSES = 1_000


def client_address(request: HttpRequest) -> str:
    """Return the client's address, as the outermost of the TRUSTED_PROXIES saw it.

    Every proxy appends the address of its own client to X-Forwarded-For. Entries further left were written by
    the client and are ignored. A request with fewer entries, or with an invalid one, did not pass through all
    proxies: its address is that of the connection. IPv4 addresses mapped to IPv6 are returned as IPv4.
    """
    # A Unix socket has no address; a link-local one has its interface appended, as in fe80::1%eth0.
    connected = str(request.META.get("REMOTE_ADDR", "")).partition("%")[0]
    connection = _normalized(connected) or "0.0.0.0"  # noqa: S104  # not bound to
    count = settings.TRUSTED_PROXIES
    entries = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if not count or len(entries) < count:
        return connection
    return _normalized(entries[-count]) or connection


def client_network(request: HttpRequest) -> str:
    """Return the network of the client's address, as `network_of` does."""
    return network_of(client_address(request))


@functools.lru_cache(maxsize=_REMEMBERED_ADDRESSES)
def network_of(text: str) -> str:
    """Return what counts as one client: an IPv4 address itself, or the first address of its /64 for IPv6.

    Raises ValueError for an invalid address.
    """
    address = ipaddress.ip_address(text)
    if address.version == 4:
        return str(address)
    network = ipaddress.ip_network((address, _IPV6_CLIENT_BITS), strict=False)
    return str(network.network_address)


def is_allowed(request: HttpRequest) -> bool:
    """Return True if sensitive requests are allowed from the client's address."""
    networks = settings.SENSITIVE_NETWORKS
    if not networks:
        return True
    address = ipaddress.ip_address(client_address(request))
    return any(address in network for network in networks)


@functools.lru_cache(maxsize=_REMEMBERED_ADDRESSES)
def _normalized(text: str) -> str:
    """Return an address without port and brackets, "" for an invalid one."""
    if "%" in text:
        return ""
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)
