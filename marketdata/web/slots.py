"""Requests at a time: no client occupies all threads of a process.

A request occupies a slot of its client's address from its beginning until its response has been sent, a
costly one also a slot of its user, or of the owner of its API key. Slots are counted per process, as
threads are.
"""

import threading
from collections import Counter

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from marketdata.web.address import client_network

# Seconds after which a refused client may try again.
RETRY_AFTER_SECONDS = 2


class _Slots:
    """The requests that are being answered, by client."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()

    def take(self, client: str, limit: int) -> bool:
        """Occupy a slot; return False if the client has `limit` of them already."""
        with self._lock:
            if self._running[client] >= limit:
                return False
            self._running[client] += 1
            return True

    def release(self, clients: list[str]) -> None:
        """Free the slots, and empty the list, so that they are freed once."""
        with self._lock:
            while clients:
                client = clients.pop()
                self._running[client] -= 1
                if not self._running[client]:
                    del self._running[client]


_slots = _Slots()


class _Release:
    """Frees slots when it is called, or dropped with the response that it belongs to."""

    def __init__(self, clients: list[str]) -> None:
        self._clients = clients

    def __call__(self) -> None:
        _slots.release(self._clients)

    __del__ = __call__


def begin(request: HttpRequest) -> bool:
    """Occupy a slot for a request; return False if its client has too many."""
    return _take(request, f"address {client_network(request)}", settings.REQUESTS_AT_A_TIME)


def begin_costly(request: HttpRequest, client: str) -> bool:
    """Occupy a slot for a costly request of a user, or of an address if `client` is empty."""
    name = f"costly {client or client_network(request)}"
    return _take(request, name, settings.COSTLY_REQUESTS_AT_A_TIME)


def end(request: HttpRequest) -> None:
    _slots.release(_taken(request))


def end_with(response: HttpResponseBase, request: HttpRequest) -> None:
    """Free the slots of a request when its response is closed, or dropped unsent."""
    response._resource_closers.append(_Release(_taken(request)))  # type: ignore[attr-defined]  # as Django does


def _take(request: HttpRequest, client: str, limit: int) -> bool:
    if not _slots.take(client, limit):
        return False
    _taken(request).append(client)
    return True


def _taken(request: HttpRequest) -> list[str]:
    """Return the list of the slots that a request has taken, kept on the request."""
    if not hasattr(request, "slots_taken"):
        request.slots_taken = []  # type: ignore[attr-defined]
    taken: list[str] = request.slots_taken  # type: ignore[attr-defined]
    return taken
