"""Reading from a replica of the database, for as long as it has the newest data.

A replica lags behind the database. The data of each subject have a version that is renewed in the transaction
that changes them (`instruments.data_versions`), so a replica with the versions of the database has the data
of the database too. A request reads from the replica if all versions are equal, and otherwise from the
database: nobody gets an older answer than before, or than the one that his own change led to.

Only requests by GET and HEAD read from it, and only tables whose changes renew a version. Users, sessions,
keys, the audit trail, files, runs and everything that is written or read in a transaction use the database.
"""

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, models
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from instruments import data_versions
from instruments import models as tables
from instruments.data_versions import DataSubject

logger = logging.getLogger(__name__)

ALIAS = "replica"
_SAFE_METHODS = ("GET", "HEAD")
# After an error of the replica, requests do not try it for so long.
_PAUSE_SECONDS = 30


class _Thread(threading.local):
    """The permission of this thread's request to read from the replica, and its use: None before a read."""

    is_permitted = False
    is_used: bool | None = None


_thread = _Thread()


class _Pause:
    """The end of the pause after an error, of `time.monotonic()`; shared by the threads of a process."""

    end = 0.0


@functools.cache
def _get_models() -> frozenset[type[models.Model]]:
    """Return the models whose changes renew a version."""
    return frozenset(
        {
            tables.Listing,
            tables.ListingVersion,
            tables.Instrument,
            tables.Underlying,
            tables.Venue,
            tables.ListedVenue,
            tables.LegalEntity,
            tables.EntityName,
            tables.EntityAddress,
            tables.EntityEvent,
            tables.EntityAuthority,
            tables.EntitySuccessor,
            tables.EntityBic,
            tables.EntityRelationship,
            tables.ReportingException,
            tables.MappedLei,
            tables.MappedIssuer,
            tables.Figi,
            tables.TransparencyResult,
            tables.SubclassTransparency,
            tables.VolumeCap,
            tables.VolumeCapVenue,
            tables.VolumeCapSuspension,
        }
    )


class Router:
    """Django's router: reads of reference data may use the replica, everything else the database."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        if _is_of_another_database(hints):
            return None
        may_use = _thread.is_permitted and model in _get_models() and not connection.in_atomic_block
        return ALIAS if may_use and _is_used() else DEFAULT_DB_ALIAS

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str | None:
        return None if _is_of_another_database(hints) else DEFAULT_DB_ALIAS

    def allow_relation(
        self, first: models.Model, second: models.Model, **hints: Any
    ) -> bool | None:
        return True if {first._state.db, second._state.db} <= {DEFAULT_DB_ALIAS, ALIAS} else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if db == ALIAS else None


class ReadFromReplica:
    """Middleware that permits requests by GET and HEAD, except of the admin, to read from the replica."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method not in _SAFE_METHODS or request.path.startswith("/admin/"):
            return self.get_response(request)
        with _permitted():
            response = self.get_response(request)
        if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
            parts: Any = iter(response)
            response.streaming_content = _read_parts(parts)
        return response


def is_configured() -> bool:
    return ALIAS in connections.databases


def is_current() -> bool:
    """Return whether the replica has the data of the database. Raises DatabaseError of the replica."""
    subjects = list(DataSubject)
    versions, _ = data_versions.read(subjects, database=ALIAS)
    return versions == data_versions.read(subjects)[0]


@contextlib.contextmanager
def _permitted() -> Iterator[None]:
    _thread.is_permitted, _thread.is_used = True, None
    try:
        yield
    finally:
        _thread.is_permitted = False


def _read_parts(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the parts of a streamed answer, such as an export."""
    while True:
        with _permitted():
            try:
                part = next(parts)
            except StopIteration:
                return
        yield part


def _is_used() -> bool:
    """Return whether this request reads from the replica, which its first read decides."""
    if _thread.is_used is None:
        _thread.is_used = time.monotonic() >= _Pause.end and _try()
    return _thread.is_used


def _try() -> bool:
    try:
        return is_current()
    except DatabaseError as error:
        _Pause.end = time.monotonic() + _PAUSE_SECONDS
        logger.warning(
            "The read replica cannot be read, and is left out for %s seconds: %s",
            _PAUSE_SECONDS,
            error,
        )
        return False


def _is_of_another_database(hints: dict[str, Any]) -> bool:
    """Return whether a row comes from a database that a command has opened, as `transfer` does."""
    instance = hints.get("instance")
    return instance is not None and instance._state.db not in (None, DEFAULT_DB_ALIAS, ALIAS)
