"""Make a backup: copy, check, compress, describe."""

import contextlib
import datetime as dt
import hashlib
import shutil
import sqlite3
import time
from pathlib import Path

import pyarrow as pa

import marketdata
from databases.backups import folder, sqlite
from databases.backups.folder import Backup
from databases.errors import DamagedDatabase, NoRoom

_BLOCK = 1 << 20
# Room for descriptions and directories, in addition to the database and its compressed copy.
_SLACK = 16 << 20


def create(database: Path, *, reason: str, watcher: sqlite.Watcher = lambda share: None) -> Backup:
    """Back up a SQLite file while others read and write. Raises NoRoom, DamagedDatabase, BackupsBusy."""
    with folder.locked(), sqlite.reading(database) as source:
        return make(source, database, reason=reason, watcher=watcher)


def make(
    source: sqlite3.Connection, database: Path, *, reason: str, watcher: sqlite.Watcher
) -> Backup:
    """Make a backup by an open connection, while the caller holds the lock on the folder."""
    began = time.monotonic()
    now = dt.datetime.now(dt.UTC)
    name = folder.new_name(reason, now)
    plain, packed = folder.part_of(f"{name}.plain"), folder.part_of(name)
    try:
        with sqlite.translated(database):
            has_room(folder.folder(), 2 * sqlite.size(source))
            _snapshot(source, plain, watcher)
        with sqlite.reading(plain) as copy:
            if wrong := sqlite.problem(copy):
                raise DamagedDatabase(database, wrong)
            migrations, tables = sqlite.migrations(copy), sqlite.rows(copy)
        backup = Backup(
            name=name,
            made_at=now.isoformat(timespec="seconds"),
            reason=reason,
            release=marketdata.__version__,
            sqlite=sqlite3.sqlite_version,
            bytes=plain.stat().st_size,
            sha256=_pack(plain, packed),
            stored_bytes=packed.stat().st_size,
            migrations=migrations,
            tables=tables,
            seconds=round(time.monotonic() - began, 3),
        )
        folder.put(backup, packed)
    finally:
        plain.unlink(missing_ok=True)
        packed.unlink(missing_ok=True)
    return backup


def has_room(where: Path, needed: int) -> None:
    """Raise NoRoom where `needed` bytes do not fit on the disk of a folder."""
    free = shutil.disk_usage(where).free
    if free < needed + _SLACK:
        raise NoRoom(where, needed=needed + _SLACK, free=free)


def _snapshot(source: sqlite3.Connection, path: Path, watcher: sqlite.Watcher) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as target:
        path.chmod(0o600)
        target.execute("PRAGMA synchronous=OFF")  # after a crash the file is not used anyway
        sqlite.copy(source, target, watcher)
        target.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it


def _pack(plain: Path, packed: Path) -> str:
    """Compress a file by zstd; return the SHA-256 of the result."""
    packed.touch(mode=0o600)
    with (
        plain.open("rb") as source,
        pa.OSFile(str(packed), "wb") as raw,
        pa.CompressedOutputStream(raw, "zstd") as target,
    ):
        while block := source.read(_BLOCK):
            target.write(block)
    return digest(packed)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
