"""Backups: whole, of one moment, and nothing that looks like one and is none."""

import contextlib
import io
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db import connections

from databases.backups import create, folder, restore, sqlite
from databases.backups.create import digest
from databases.backups.folder import Backup
from databases.errors import (
    BackupsBusy,
    NoDatabase,
    NoRoom,
    NotSqlite,
    UnknownBackup,
)
from tests.databases.conftest import everything, execute

WRITER = Path(__file__).with_name("writer.py")


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """40 MB, with a pair of rows far from each other that are always equal."""
    path = tmp_path / "big.sqlite3"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE pair (id INTEGER PRIMARY KEY, number INTEGER)")
        connection.execute("INSERT INTO pair VALUES (1, 0)")
        connection.execute("CREATE TABLE filler (id INTEGER PRIMARY KEY, bytes BLOB)")
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
            " INSERT INTO filler SELECT i, randomblob(4000) FROM n"
        )
        connection.execute("INSERT INTO pair VALUES (2, 0)")
    return path


def unpacked_rows(backup: Backup, sql: str) -> list[tuple[object, ...]]:
    with restore.unpacked(backup) as ready:
        return ready.connection.execute(sql).fetchall()


def test_a_backup_is_of_one_moment_while_another_process_writes(big: Path) -> None:
    shares: list[float] = []
    with writing(big):
        backup = create.create(big, reason="manual", watcher=shares.append)

    [(one,), (other,)] = unpacked_rows(backup, "SELECT number FROM pair ORDER BY id")
    assert one == other
    assert one != 0
    assert len(shares) > 3
    assert shares == sorted(shares), "it never began anew"
    assert shares[-1] == 1


def test_a_backup_says_what_it_holds(source: Path) -> None:
    backup = create.create(source, reason="manual")

    description = json.loads(Path(f"{backup.path}.json").read_text())
    assert description["sha256"] == digest(backup.path)
    assert description["stored_bytes"] == backup.path.stat().st_size
    assert description["tables"]["instruments_listing"] == 589
    assert "databases.0001_initial" in description["migrations"]
    assert description["release"]
    assert folder.scan() == ([backup], [])
    assert backup.path.stat().st_mode & 0o077 == 0, "it holds users and keys"


def test_a_backup_unpacked_is_the_database(source: Path) -> None:
    backup = create.create(source, reason="manual")

    with restore.unpacked(backup):
        plain = folder.part_of(f"{backup.name}.plain")
        assert everything(plain) == everything(source)
    assert not plain.exists()


@pytest.mark.slow
def test_a_backup_that_is_killed_leaves_nothing_that_looks_whole(
    big: Path, settings: LazySettings
) -> None:
    process = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import pathlib, sys, django; django.setup()\n"
            "from databases.backups import create\n"
            "create.create(pathlib.Path(sys.argv[1]), reason='manual')",
            str(big),
        ],
        env={**_environment(), "BACKUP_DIR": str(settings.BACKUP_DIR)},
    )
    parts = folder.folder()
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 1_000_000 for path in parts.glob(".*.part*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert list(parts.glob(".*.part*"))
    assert folder.scan() == ([], [])
    backup = create.create(big, reason="manual")
    assert list(parts.glob(".*.part*")) == []
    assert folder.scan() == ([backup], [])


def test_a_complete_backup_whose_description_was_not_renamed_is_a_backup(source: Path) -> None:
    backup = create.create(source, reason="manual")
    description = Path(f"{backup.path}.json")
    description.rename(folder.part_of(description.name))  # killed just before the second renaming
    assert folder.scan()[0] == []

    call_command("backup", "verify", stdout=io.StringIO())

    assert folder.scan() == ([backup], [])


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_backup_whose_deletion_was_killed_can_be_deleted_again(
    source: Path, is_deleted: bool
) -> None:
    old, newest = (create.create(source, reason="manual") for _ in range(2))
    description = Path(f"{old.path}.json")
    description.rename(folder.part_of(description.name))
    if is_deleted:
        old.path.unlink()

    call_command("backup", "prune", keep=1, stdout=io.StringIO())

    assert folder.scan() == ([newest], [])
    assert [path.name for path in folder.folder().iterdir() if path.name.startswith(old.name)] == []
    assert list(folder.folder().glob(".*.part*")) == []


def test_a_backup_that_is_deleted_is_one_until_its_file_is_gone(source: Path) -> None:
    backup = create.create(source, reason="manual")
    backup.path.unlink()
    backup.path.mkdir()  # which cannot be deleted as a file
    with pytest.raises(IsADirectoryError):
        folder.remove(backup)
    with folder.locked():
        assert Path(f"{backup.path}.json").exists()


def test_two_at_a_time_are_one_too_many(source: Path) -> None:
    with folder.locked(), pytest.raises(BackupsBusy):
        create.create(source, reason="manual")


def test_a_disk_without_room_is_found_beforehand(tmp_path: Path) -> None:
    with pytest.raises(NoRoom, match="backup prune"):
        create.has_room(tmp_path, 1 << 60)


def test_the_newest_of_each_reason_stay(source: Path) -> None:
    manual = [create.create(source, reason="manual") for _ in range(3)]
    safety = create.create(source, reason="before-migrate")

    superfluous = folder.superfluous(2)
    for backup in superfluous:
        folder.remove(backup)

    assert len(superfluous) == 1
    assert superfluous[0] in manual
    assert len(folder.scan()[0]) == 3
    assert safety in folder.scan()[0]


@pytest.mark.parametrize("name", ["", "..", "/etc/passwd", "other.sqlite3.zst"])
def test_only_what_is_in_the_folder_is_a_backup(source: Path, name: str) -> None:
    create.create(source, reason="manual")

    with pytest.raises(UnknownBackup):
        folder.get(name)


def test_only_sqlite_is_backed_up_here() -> None:
    nothing = {"default": {}, "server": {"ENGINE": "django.db.backends.dummy", "NAME": "x"}}
    connections.databases["server"] = connections.configure_settings(nothing)["server"]
    try:
        with pytest.raises(NotSqlite):
            sqlite.file_of("server")
    finally:
        del connections["server"], connections.databases["server"]


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite3"
    nothing = {"default": {}, "none": {"ENGINE": "django.db.backends.sqlite3", "NAME": path}}
    connections.databases["none"] = connections.configure_settings(nothing)["none"]
    try:
        with pytest.raises(NoDatabase):
            sqlite.file_of("none")
    finally:
        del connections["none"], connections.databases["none"]
    assert not path.exists()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """While another process writes, which has begun to."""
    process = subprocess.Popen([sys.executable, str(WRITER), str(path)])
    try:
        while execute(path, "SELECT max(number) FROM pair") == [(0,)]:
            assert process.poll() is None
            time.sleep(0.01)
        yield
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    root = str(Path(__file__).parent.parent.parent)
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "marketdata.settings",
        "PYTHONPATH": root,
        "ENV_FILE": os.devnull,
        "SECRET_KEY": secrets.token_hex(32),
    }
