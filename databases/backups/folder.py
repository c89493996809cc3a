"""The folder of backups: each a compressed SQLite file with a description beside it.

The description gets its name last, so a file without one is not a backup, or not yet: the next process that
locks the folder finishes what a killed one has left.
"""

import contextlib
import dataclasses
import datetime as dt
import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from databases.errors import BackupsBusy, DamagedBackup, UnknownBackup

SUFFIX = ".sqlite3.zst"
_PART = ".part"  # a file that is being written


@dataclasses.dataclass(frozen=True)
class Backup:
    """The description of a backup.

    `tables` are numbers of rows by table, `migrations` the applied ones as app.name.
    """

    name: str
    made_at: str  # ISO 8601, UTC
    reason: str  # manual, or before-transfer, before-restore, before-migrate
    release: str  # of this project
    sqlite: str
    bytes: int  # of the database
    stored_bytes: int  # of the file, compressed
    sha256: str  # of the file
    migrations: list[str]
    tables: dict[str, int]
    seconds: float  # that making it took

    @property
    def path(self) -> Path:
        return folder() / self.name

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


def folder() -> Path:
    return Path(settings.BACKUP_DIR)


@contextlib.contextmanager
def locked() -> Iterator[Path]:
    """Lock the folder for writing and finish or remove what a killed process left. Raises BackupsBusy."""
    where = folder()
    where.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds users and keys
    with (where / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupsBusy(where) from error
        for unfinished in where.glob(f".*{_PART}*"):
            if _described(unfinished).exists():  # all of both files is on the disk
                unfinished.replace(_description(_described(unfinished).name))
            else:
                unfinished.unlink()
        yield where


def new_name(reason: str, now: dt.datetime) -> str:
    stem = f"marketdata-{now:%Y%m%dT%H%M%SZ}-{reason}"
    names = (f"{stem}{number}{SUFFIX}" for number in ("", *(f"-{n}" for n in range(2, 10_000))))
    return next(name for name in names if not (folder() / name).exists())


def part_of(name: str) -> Path:
    """Return the path to which a file is written before it gets its final name."""
    return folder() / f".{name}{_PART}"


def put(backup: Backup, written: Path) -> None:
    """Rename a finished file, then its description: interrupted in between, `locked` does the rest."""
    description = part_of(_description(backup.name).name)
    description.write_text(json.dumps(dataclasses.asdict(backup), indent=2) + "\n")
    for path in (written, description):
        _flush(path)
    written.replace(backup.path)
    description.replace(_description(backup.name))
    _flush(folder())


def scan() -> tuple[list[Backup], list[str]]:
    """Return all backups, newest first, and a message for each other file that is damaged."""
    backups, problems = [], []
    for path in sorted(folder().glob(f"*{SUFFIX}")):
        try:
            backups.append(_read(path))
        except DamagedBackup as error:
            problems.append(str(error))
    problems += [
        f"{description.name} describes a file that does not exist."
        for description in sorted(folder().glob(f"*{SUFFIX}.json"))
        if not description.with_suffix("").exists()
    ]
    return sorted(backups, key=_get_order, reverse=True), problems


def get(name: str) -> Backup:
    """Return a backup by its name. Raises UnknownBackup, DamagedBackup for an unreadable description."""
    path = next((path for path in folder().glob(f"*{SUFFIX}") if path.name == name), None)
    if path is None:
        raise UnknownBackup(name, folder())
    return _read(path)


def superfluous(keep: int) -> list[Backup]:
    """Return the backups that are older than the newest `keep` of their reason."""
    by_reason = defaultdict(list)
    for backup in scan()[0]:
        by_reason[backup.reason].append(backup)
    return [backup for backups in by_reason.values() for backup in backups[keep:]]


def remove(backup: Backup) -> None:
    """Delete a backup, its description last: interrupted in between, it is a backup again, or gone."""
    description = part_of(_description(backup.name).name)
    _description(backup.name).replace(description)
    backup.path.unlink()
    description.unlink()


def _get_order(backup: Backup) -> tuple[str, int, str]:
    """Return what backups are sorted by: of one second, `-10` comes after `-2`, and that after the first."""
    return backup.made_at, len(backup.name), backup.name


def _description(name: str) -> Path:
    return folder() / f"{name}.json"


def _described(unfinished: Path) -> Path:
    """Return the backup that an unfinished description describes; for other files, a name of no backup."""
    return folder() / unfinished.name.removeprefix(".").removesuffix(f".json{_PART}")


def _read(path: Path) -> Backup:
    try:
        description = json.loads(_description(path.name).read_text())
        return Backup(**{**description, "name": path.name})
    except FileNotFoundError as error:
        raise DamagedBackup(path.name, "it has no description, so it was interrupted") from error
    except (ValueError, TypeError, OSError) as error:
        raise DamagedBackup(path.name, f"its description cannot be read ({error})") from error


def _flush(path: Path) -> None:
    """Write a file to the disk before it is renamed, so that the name never refers to missing data."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
