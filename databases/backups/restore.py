"""Check a backup, and put it in the place of the database."""

import contextlib
import dataclasses
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from databases import tables
from databases.backups import folder, sqlite
from databases.backups.create import digest, has_room, make
from databases.backups.folder import Backup
from databases.errors import DamagedBackup, OtherSchema

_BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Unpacked:
    """A backup that has been found whole, as a database to read from."""

    backup: Backup
    connection: sqlite3.Connection


@contextlib.contextmanager
def unpacked(backup: Backup) -> Iterator[Unpacked]:
    """Unpack a backup and check all of it; the folder is locked. Raises DamagedBackup, NoRoom."""
    if not backup.path.is_file() or digest(backup.path) != backup.sha256:
        raise DamagedBackup(backup.name, "its SHA-256 is not the one in its description")
    has_room(folder.folder(), backup.bytes)
    plain = folder.part_of(f"{backup.name}.plain")
    try:
        plain.touch(mode=0o600)
        _unpack(backup, plain)
        with sqlite.reading(plain) as connection:
            if wrong := sqlite.problem(connection):
                raise DamagedBackup(backup.name, wrong)
            if sqlite.rows(connection) != backup.tables:
                raise DamagedBackup(backup.name, "its tables have other rows than it says")
            if sqlite.migrations(connection) != backup.migrations:
                raise DamagedBackup(backup.name, "it has had other migrations than it says")
            yield Unpacked(backup, connection)
    finally:
        plain.unlink(missing_ok=True)


def fits(backup: Backup) -> None:
    """Raises OtherSchema where this release does not work with the backup's tables."""
    ours, its = set(tables.named(tables.of_this_release())), set(backup.migrations)
    if ours != its:
        raise OtherSchema(
            backup.name, release=backup.release, lacks=sorted(ours - its), has=sorted(its - ours)
        )


def replace(ready: Unpacked, database: Path, watcher: sqlite.Watcher) -> Backup | None:
    """Write a backup into the live file; gives the backup of what was there, None where nothing was.

    Files are not moved: beside a WAL database that is open, or was not closed, lies a log that would be
    played into whatever has its name. SQLite writes the pages itself, in one transaction, and alone:
    killed half-way, the database is as it was. Raises DatabaseInUse, DamagedDatabase, NoRoom.
    """
    before = database.exists()
    database.parent.mkdir(parents=True, exist_ok=True)
    has_room(database.parent, 2 * ready.backup.bytes)  # it is in the log before it is in the file
    with sqlite.translated(database), sqlite.alone(database) as live:
        safety = make(live, database, reason="before-restore", watcher=watcher) if before else None
        sqlite.copy(ready.connection, live, watcher)
        live.execute("PRAGMA journal_mode=WAL")
    return safety


def _unpack(backup: Backup, plain: Path) -> None:
    """Not more than its description says: a file is no bomb because it lies in our folder."""
    written = 0
    try:
        with (
            pa.OSFile(str(backup.path)) as raw,
            pa.CompressedInputStream(raw, "zstd") as source,
            plain.open("wb") as target,
        ):
            while written <= backup.bytes and (block := source.read(_BLOCK)):
                written += target.write(block)
    except (pa.ArrowException, OSError) as error:
        raise DamagedBackup(backup.name, f"it cannot be unpacked ({error})") from error
    if written != backup.bytes:
        raise DamagedBackup(backup.name, f"it unpacks to {written:,} of {backup.bytes:,} bytes")
