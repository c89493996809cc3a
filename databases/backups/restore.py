"""Check a backup, and replace the database by it."""

import contextlib
import dataclasses
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from databases import tables
from databases.backups import folder, sqlite
from databases.backups.create import digest, has_room, make
from databases.backups.folder import Backup
from databases.errors import DamagedBackup, NoRoom, OtherSchema
from marketdata.common import disks

_BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Unpacked:
    """A checked backup, as a database to read from."""

    backup: Backup
    connection: sqlite3.Connection


@contextlib.contextmanager
def unpacked(backup: Backup) -> Iterator[Unpacked]:
    """Unpack a backup and check it completely; the caller holds the lock. Raises DamagedBackup, NoRoom."""
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
                raise DamagedBackup(backup.name, "the numbers of rows differ from its description")
            if sqlite.migrations(connection) != backup.migrations:
                raise DamagedBackup(backup.name, "the migrations differ from its description")
            yield Unpacked(backup, connection)
    finally:
        plain.unlink(missing_ok=True)


def check_schema(backup: Backup) -> None:
    """Raise OtherSchema where this release does not work with the tables of the backup."""
    required = set(tables.named(tables.of_this_release()))
    applied = set(backup.migrations)
    if required != applied:
        raise OtherSchema(
            backup.name,
            release=backup.release,
            lacks=sorted(required - applied),
            has=sorted(applied - required),
        )


def replace(ready: Unpacked, database: Path, watcher: sqlite.Watcher) -> Backup | None:
    """Write a backup into the live file; return a backup of the former content, None where there was none.

    Files are not moved: SQLite would apply the write-ahead log of an open or unclosed database to the new
    file of the same name. Instead SQLite writes the pages itself, in one transaction with an exclusive
    lock: interrupted half-way, the database is unchanged. Raises DatabaseInUse, DamagedDatabase, NoRoom.
    """
    before = database.exists()
    database.parent.mkdir(parents=True, exist_ok=True)
    has_room(database.parent, 2 * ready.backup.bytes)  # it is written to the log first
    with sqlite.translated(database), sqlite.alone(database) as live:
        safety = make(live, database, reason="before-restore", watcher=watcher) if before else None
        sqlite.copy(ready.connection, live, watcher)
        live.execute("PRAGMA journal_mode=WAL")
    return safety


def _unpack(backup: Backup, plain: Path) -> None:
    """Unpack at most the described number of bytes, in case the file expands to much more."""
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
        if disks.is_full(error):
            free = shutil.disk_usage(plain.parent).free
            raise NoRoom(plain.parent, needed=backup.bytes, free=free) from error
        raise DamagedBackup(backup.name, f"it cannot be unpacked ({error})") from error
    if written != backup.bytes:
        raise DamagedBackup(backup.name, f"it unpacks to {written:,} of {backup.bytes:,} bytes")
