"""Databases by name: configured ones, and SQLite files by their path."""

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from databases.errors import NoDatabase, SameDatabase, UnknownDatabase
from marketdata.settings import databases as configured

_FILE = "sqlite:///"
_SQLITE = "django.db.backends.sqlite3"


@contextlib.contextmanager
def pair(source: str, target: str, *, write: bool) -> Iterator[tuple[str, str]]:
    """Open two databases as aliases of Django: the first read-only, and both unless `write`.

    Raises UnknownDatabase, NoDatabase, SameDatabase.
    """
    if _identity(_settings(source)) == _identity(_settings(target)):
        raise SameDatabase(source)
    with _opened("source", source, write=False), _opened("target", target, write=write):
        yield "source", "target"


@contextlib.contextmanager
def as_default(alias: str) -> Iterator[None]:
    """Use a database as the default one, for code that does not name its database, as data migrations."""
    usual = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connections[alias]
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = usual


def file_of(name: str) -> Path | None:
    """Return the file of a database; None for one on a server."""
    options = _settings(name)
    return Path(str(options["NAME"])) if options["ENGINE"] == _SQLITE else None


def described(name: str) -> str:
    """Return a text that identifies a database, without secrets."""
    return " ".join(part for part in _identity(_settings(name)) if part)


def _settings(name: str) -> dict[str, Any]:
    if name.startswith(_FILE):
        return configured.sqlite(Path(name.removeprefix(_FILE)).expanduser().resolve())
    if name not in settings.NAMED_DATABASES:
        raise UnknownDatabase(name, sorted(settings.NAMED_DATABASES))
    return copy.deepcopy(dict(settings.NAMED_DATABASES[name]))


def _identity(options: dict[str, Any]) -> tuple[str, ...]:
    if options["ENGINE"] == _SQLITE:
        return (str(Path(str(options["NAME"])).resolve()),)
    return tuple(str(options.get(part, "")).lower() for part in ("HOST", "PORT", "NAME"))


@contextlib.contextmanager
def _opened(alias: str, name: str, *, write: bool) -> Iterator[None]:
    """Register a database with Django for a while, without changing the settings."""
    options = _settings(name)
    if not write and options["ENGINE"] == _SQLITE:
        path = Path(str(options["NAME"]))
        if not path.is_file():
            raise NoDatabase(path)
        options["NAME"] = f"file:{quote(str(path))}?mode=ro"
        # Without declared types: sqlite3 would parse the dates of each row, and read invalid ones as NULL.
        options["OPTIONS"] = {"uri": True, "timeout": 60, "detect_types": 0}
    complete = connections.configure_settings({DEFAULT_DB_ALIAS: {}, alias: options})[alias]
    connections.databases[alias] = complete
    try:
        yield
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.databases[alias]
