"""From where a request comes, and whether that is a place for sensitive work."""

import ipaddress
import re

from django.conf import settings
from django.http import HttpRequest

# Some proxies (Azure's among them) write the port too.
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+")


def client_address(request: HttpRequest) -> str:
    """The client's address, as the outermost of the TRUSTED_PROXIES saw it.

    Every proxy appends to X-Forwarded-For whom it was asked by; what stands further left was written by
    the client and is worth nothing. A request with fewer entries, or with one that is no address, did not
    come through all of them: its address is that of the connection.
    """
    # A Unix socket has no address; a link-local one comes with its interface, as in fe80::1%eth0.
    connected = str(request.META.get("REMOTE_ADDR", "")).partition("%")[0]
    connection = _plain(connected) or "0.0.0.0"  # noqa: S104  # nobody binds to it
    count = settings.TRUSTED_PROXIES
    seen = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if not count or len(seen) < count:
        return connection
    return _plain(seen[-count]) or connection


def is_allowed(request: HttpRequest) -> bool:
    """Whether sensitive work may be asked for from here: everywhere, unless networks are set."""
    networks = settings.SENSITIVE_NETWORKS
    if not networks:
        return True
    address = ipaddress.ip_address(client_address(request))
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)


def _plain(written: str) -> str:
    """An address without port and brackets; empty where it is none."""
    if "%" in written:
        return ""
    if found := _WITH_PORT.fullmatch(written):
        written = found[1] or found[2]
    try:
        return str(ipaddress.ip_address(written))
    except ValueError:
        return ""
