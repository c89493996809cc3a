"""Databases by the names that people give them, beside the one that the service works on."""

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
    """Two databases, as aliases of Django's: the first can only be read, and both where not `write`.

    Raises UnknownDatabase, NoDatabase, SameDatabase.
    """
    if _identity(_settings(source)) == _identity(_settings(target)):
        raise SameDatabase(source)
    with _opened("source", source, write=False), _opened("target", target, write=write):
        yield "source", "target"


@contextlib.contextmanager
def as_default(alias: str) -> Iterator[None]:
    """Let whatever does not say which database it means mean this one: data migrations, say."""
    usual = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connections[alias]
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = usual


def file_of(name: str) -> Path | None:
    """The file of a database; None where it is on a server."""
    found = _settings(name)
    return Path(str(found["NAME"])) if found["ENGINE"] == _SQLITE else None


def described(name: str) -> str:
    """Which database that is, without secrets: the same one gives the same text."""
    return " ".join(part for part in _identity(_settings(name)) if part)


def _settings(name: str) -> dict[str, Any]:
    if name.startswith(_FILE):
        return configured.sqlite(Path(name.removeprefix(_FILE)).expanduser().resolve())
    if name not in settings.NAMED_DATABASES:
        raise UnknownDatabase(name, sorted(settings.NAMED_DATABASES))
    return copy.deepcopy(dict(settings.NAMED_DATABASES[name]))


def _identity(found: dict[str, Any]) -> tuple[str, ...]:
    if found["ENGINE"] == _SQLITE:
        return (str(Path(str(found["NAME"])).resolve()),)
    return tuple(str(found.get(part, "")).lower() for part in ("HOST", "PORT", "NAME"))


@contextlib.contextmanager
def _opened(alias: str, name: str, *, write: bool) -> Iterator[None]:
    """Let Django know a database for a while. The settings stay as they are: tests make all of those."""
    found = _settings(name)
    if not write and found["ENGINE"] == _SQLITE:
        path = Path(str(found["NAME"]))
        if not path.is_file():
            raise NoDatabase(path)
        found["NAME"] = f"file:{quote(str(path))}?mode=ro"
        # Without types by declaration: each row's dates would be parsed, and those that are none be NULL.
        found["OPTIONS"] = {"uri": True, "timeout": 60, "detect_types": 0}
    complete = connections.configure_settings({DEFAULT_DB_ALIAS: {}, alias: found})[alias]
    connections.databases[alias] = complete
    try:
        yield
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.databases[alias]
